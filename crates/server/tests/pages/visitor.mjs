// What the programs here have in common: a browser that takes note of everything odd, an application
// that people come from, an authenticator app, and the operator's API.

import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { env } from 'node:process';

import axe from 'axe-core';

import { inChromium, picture } from '../chromium.mjs';

/** The rules that a page must not break. In the dark it is the same page but for its colours. */
const RULES = {
  light: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
  dark: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
};
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/**
 * Runs `main` with a function that opens a browser of its own and gives a page in it, and with the
 * application at `env.APP` running. In the end no browser may have complained: of our content security
 * policy, of a script, or of anything asked from elsewhere. Only one that is trusting visits other sites.
 */
export async function visit(main, launch = {}) {
  const server = await serve(new URL(env.APP).port, () => '<h1>The application</h1>');
  const visitors = [];
  await inChromium(async (newContext) => {
    await main(async (options = {}, { isTrusting = false } = {}) => {
      // Whatever moves is at its end at once.
      const { context, complaints } = await newContext({ reducedMotion: 'reduce', ...options });
      if (isTrusting) return context.newPage();
      const own = [env.ISSUER, env.APP];
      context.on('request', (request) => {
        const url = new URL(request.url());
        if (url.protocol !== 'data:' && !own.includes(url.origin)) complaints.push(`asked for ${url}`);
      });
      visitors.push(complaints);
      return context.newPage();
    });
  }, launch);
  server.close();
  assert.deepEqual(visitors.flat().filter((complaint) => !isAnswer(complaint)), []);
}

/** That a page's answer is "no" is said on the console too. */
function isAnswer(complaint) {
  return /the server responded with a status of 4(00|03|04|22|29) /.test(complaint) && !complaint.includes('/assets/');
}

/** Serves one page at every address. */
export async function serve(port, html, host = '127.0.0.1') {
  const server = createServer((request, response) => {
    const head = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">';
    response.writeHead(200, { 'content-type': 'text/html' }).end(head + html(request));
  });
  await new Promise((resolve) => server.listen(port, host, resolve));
  return server;
}

/** The address at which the application `client` asks to have somebody signed in. */
export function ask(client, parameters = {}) {
  const url = new URL('/oauth/authorize', env.ISSUER);
  url.search = new URLSearchParams({
    client_id: client,
    response_type: 'code',
    redirect_uri: `${env.APP}/callback`,
    scope: 'openid profile',
    state: 'the-state',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...parameters,
  });
  return url.href;
}

/** Fills the form in and sends it. */
export async function signIn(page, name = env.PERSON, password = env.PASSWORD) {
  await page.fill('#username', name);
  await page.fill('#password', password);
  await page.click('button[value=sign_in]');
}

/** Waits until the application has the answer, and gives its parameters. */
export async function atTheApplication(page) {
  await page.waitForURL(`${env.APP}/**`);
  return Object.fromEntries(new URL(page.url()).searchParams);
}

/** Waits for a page of ours with this heading. */
export async function heading(page, text) {
  await page.locator('h1', { hasText: text }).waitFor();
}

/** A code of an authenticator app (RFC 6238). The server takes that of the next half minute too. */
export function codeOf(secret, ahead = 0) {
  const letters = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter));
  const bits = letters.map((letter) => letter.toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const tag = createHmac('sha1', key).update(counter).digest();
  const word = tag.readUInt32BE(tag[19] & 15) & 0x7fff_ffff;
  return String(word % 1_000_000).padStart(6, '0');
}

/** The secret on the page that sets an authenticator app up. */
export async function secretOn(page) {
  return (await page.locator('.secret').textContent()).replace(/\s/g, '');
}

/** Posts to the admin API. */
export async function admin(path, body = {}) {
  const response = await fetch(`${env.ADMIN_API}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${answer}`);
  return answer === '' ? undefined : JSON.parse(answer);
}

/** Refreshes a token as the public client `desktop`. */
export async function refresh(refresh_token, headers = {}) {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: env.PUBLIC_ID, refresh_token });
  const response = await fetch(`${env.ISSUER}/oauth/token`, { method: 'POST', body, headers });
  return (await response.json()).refresh_token;
}

/** A device asks for somebody to sign in. */
export async function deviceAsks() {
  const body = new URLSearchParams({ client_id: env.DEVICE_ID, scope: 'openid profile offline_access read' });
  const response = await fetch(`${env.ISSUER}/oauth/device_authorization`, { method: 'POST', body });
  return response.json();
}

/**
 * Looks at the page as people do: on a desk and on a phone, in light and in dark. Nothing may keep
 * anybody from reading and using it (WCAG 2.2, levels A and AA), and nothing is to be found to the side.
 */
export async function look(page, name) {
  await page.waitForLoadState();
  await page.evaluate(axe.source);
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const as = `${name} (${size}, ${colorScheme})`;
      const { violations, beyond } = await page.evaluate(async (runOnly) => {
        const { violations } = await globalThis.axe.run(document, { runOnly, resultTypes: ['violations'] });
        const { scrollWidth, clientWidth } = document.documentElement;
        const said = violations.map(({ id, help, nodes }) => [id, help, ...nodes.map((node) => node.failureSummary + node.html)]);
        return { violations: said, beyond: scrollWidth - clientWidth };
      }, RULES[colorScheme]);
      assert.deepEqual(violations, [], as);
      assert.equal(beyond, 0, `${as}: has to be scrolled sideways`);
      if (size === 'desktop' || colorScheme === 'light') await picture(page, `${name}-${size}-${colorScheme}`);
    }
  }
  await page.setViewportSize(SIZES.desktop);
  await page.emulateMedia({ colorScheme: 'light' });
}
