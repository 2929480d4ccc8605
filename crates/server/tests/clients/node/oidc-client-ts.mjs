// oidc-client-ts in Chromium: serves the application of app.html, and is the person who uses it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { env } from 'node:process';

import { inChromium, picture } from './chromium.mjs';

const server = await serve(new URL(env.APP).port);
await inChromium(main);
server.close();

async function main(newContext) {
  const { context, complaints } = await newContext();

  // Sign in.
  const tab = await context.newPage();
  await tab.goto(env.APP);
  await reads(tab, 'Nobody is signed in.');
  await tab.click('#sign-in');
  await tab.waitForURL(`${env.ISSUER}/signin*`);
  await picture(tab, 'sign-in');
  await tab.fill('#username', env.PERSON);
  await tab.fill('#password', 'not this');
  await tab.click('button[value=sign_in]');
  await tab.waitForSelector('[role=alert]');
  await picture(tab, 'sign-in-again');
  // That the answer is an error is said on the console too.
  complaints.length = 0;
  await tab.fill('#password', env.PASSWORD);
  await tab.click('button[value=sign_in]');
  await tab.waitForURL(`${env.ISSUER}/consent*`);
  await picture(tab, 'consent');
  await tab.click('button[value=allow]');
  await reads(tab, `${env.PERSON} is signed in.`);

  // Refresh, one after another: userinfo is asked each time too.
  let before = await stored(tab);
  for (let i = 0; i < 5; i += 1) {
    assert.equal(await press(tab, 'refresh'), 'done');
    const now = await stored(tab);
    assert.notEqual(now.refresh_token, before.refresh_token);
    before = now;
  }

  // Two tabs at once with one token, which is what the browser keeps for both.
  const other = await context.newPage();
  await other.goto(env.APP);
  await reads(other, `${env.PERSON} is signed in.`);
  for (let i = 0; i < 3; i += 1) {
    const together = await atOnce(context, `${env.ISSUER}/oauth/token`, 2);
    const answers = [tab, other].map(async (page) => {
      const response = await page.waitForResponse(`${env.ISSUER}/oauth/token`);
      return (await response.json()).refresh_token;
    });
    assert.deepEqual(await Promise.all([press(tab, 'refresh'), press(other, 'refresh')]), ['done', 'done']);
    assert.equal(new Set(await Promise.all(answers)).size, 1);
    await together.end();
  }
  assert.deepEqual(complaints, []);

  // Revoke.
  const revoked = await stored(tab);
  assert.equal(await press(tab, 'revoke'), 'done');
  await isOver(revoked);
  assert.deepEqual(complaints, []);

  // Sign in again, without a password since the person is signed in here, and out.
  await tab.reload();
  await tab.click('#sign-in');
  await tab.waitForURL(`${env.ISSUER}/consent*`);
  await tab.click('button[value=allow]');
  await reads(tab, `${env.PERSON} is signed in.`);
  const last = await stored(tab);
  await tab.click('#sign-out');
  await tab.waitForURL(`${env.APP}/`);
  await reads(tab, 'Nobody is signed in.');
  await isOver(last);
  await tab.click('#sign-in');
  await tab.waitForSelector('#password');
  assert.deepEqual(complaints, []);
}

async function reads(page, text) {
  await page.locator('#who', { hasText: text }).waitFor();
}

/** Presses a button of the application, and gives what came of it. */
async function press(page, id) {
  const button = page.locator(`#${id}`);
  const times = Number((await button.getAttribute('data-times')) ?? 0);
  await button.click();
  await page.locator(`#${id}[data-times="${times + 1}"]`).waitFor();
  return button.getAttribute('data-outcome');
}

/** Holds requests back until so many are there, and lets them go at once. */
async function atOnce(context, url, count) {
  const held = [];
  await context.route(url, (route) => {
    held.push(route);
    if (held.length === count) return Promise.all(held.map((route) => route.continue()));
  });
  return { end: () => context.unroute(url) };
}

/** What the application keeps. */
function stored(page) {
  return page.evaluate(() => {
    const key = Object.keys(localStorage).find((key) => key.startsWith('oidc.user:'));
    return JSON.parse(localStorage.getItem(key));
  });
}

async function isOver({ refresh_token }) {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: env.APP_ID, refresh_token });
  const response = await fetch(`${env.ISSUER}/oauth/token`, { method: 'POST', body });
  assert.equal((await response.json()).error, 'invalid_grant');
}

async function serve(port) {
  const file = (name) => readFile(new URL(name, import.meta.url));
  const html = ['text/html', await file('app.html')];
  const script = (body) => ['text/javascript', body];
  const files = {
    '/': html,
    '/callback': html,
    '/app.js': script(await file('app.js')),
    '/oidc-client-ts.js': script(await file('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js')),
    '/settings.json': ['application/json', JSON.stringify({ issuer: env.ISSUER, client_id: env.APP_ID })],
  };
  const server = createServer((request, response) => {
    const found = files[new URL(request.url, env.APP).pathname];
    if (found === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': found[0] }).end(found[1]);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
