// Every page of the operator's console, and the tour of the demo.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import { admin, codeOf, heading, look, refresh, secretOn, signIn, visit } from './visitor.mjs';

const CONSOLE = `${env.ISSUER}/console`;

await visit(async (open) => {
  const sessions = await somethingToSee();
  const page = await open();
  await looking(page, sessions);
  await acting(page, sessions);
  await theDemo(await open());
});

async function somethingToSee() {
  await admin('/users', { username: 'bo', email: 'bo@example.com', roles: ['reader', 'writer'], tenant: 'north' });
  const start = (device) => admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID, device });
  await start("Ana's telephone");
  const living = await start("Ana's laptop");
  let token = living.refresh_token;
  for (let i = 0; i < 7; i += 1) token = await refresh(token, { 'user-agent': 'Mozilla/5.0 (X11; Linux) Firefox/150.0' });
  const stolen = await start('The old laptop');
  const next = await refresh(stolen.refresh_token);
  await refresh(await refresh(next));
  await refresh(stolen.refresh_token);
  return { living: living.session_id, stolen: stolen.session_id };
}

async function looking(page, { living, stolen }) {
  await page.goto(CONSOLE);
  await signIn(page, env.OPERATOR);
  await heading(page, 'Sessions');
  await look(page, 'console-sessions');
  await page.selectOption('select', 'ended');
  await page.click('text=Filter');
  await page.waitForURL('**state=ended*');
  assert.equal(await page.locator('tbody tr').count(), 1);
  await page.goto(`${CONSOLE}/sessions?user=nobody`);
  await look(page, 'console-nothing');
  await page.goto(`${CONSOLE}/sessions/${stolen}`);
  await page.locator('.timeline-picture .tl-reuse').first().waitFor();
  await look(page, 'console-session-stolen');
  await page.goto(`${CONSOLE}/sessions/${living}`);
  await look(page, 'console-session');
  await page.goto(`${CONSOLE}/users`);
  await look(page, 'console-users');
  await page.click(`text=${env.PERSON}`);
  await heading(page, env.PERSON);
  await look(page, 'console-user');
  await page.goto(`${CONSOLE}/clients`);
  await look(page, 'console-clients');
  await page.goto(`${CONSOLE}/clients/${env.CLIENT_ID}`);
  await look(page, 'console-client');
  await page.goto(`${CONSOLE}/events`);
  // It must stand still to be looked at.
  await page.click('button[aria-pressed=false]');
  await look(page, 'console-events');
  await page.goto(`${CONSOLE}/now`);
  await look(page, 'console-now');
  await page.goto(`${CONSOLE}/keys`);
  await look(page, 'console-keys');
  await page.goto(`${CONSOLE}/users/nobody`);
  await heading(page, 'There is nothing here');
  await look(page, 'console-not-found');
}

async function acting(page, { living }) {
  // An operator with a second factor shows it before anything is changed, and comes back.
  await page.goto(`${env.ISSUER}/account`);
  await page.click('form[action$="/totp/add"] button');
  const secret = await secretOn(page);
  await page.fill('#code', codeOf(secret));
  await page.click('button[value=confirm]');
  await page.click('.button.primary');
  await heading(page, 'Your account');
  await page.click('.top-links a:has-text("Console")');
  await heading(page, 'Sessions');
  await page.goto(`${CONSOLE}/revoke?kind=session&target=${living}`);
  await page.click('button[value=preview]');
  await heading(page, 'Confirm that it is you');
  await page.fill('#password', env.PASSWORD);
  await page.click('button[value=sign_in]');
  await heading(page, 'One more step');
  await page.fill('#code', codeOf(secret, 1));
  await page.click('button[value=verify]');
  await heading(page, 'What should end?');
  assert.equal(await page.inputValue('#target'), living);

  await page.fill('#target', 'nothing of that name');
  await page.click('button[value=preview]');
  await page.locator('#problem').waitFor();
  await look(page, 'console-revoke-not-found');
  await page.fill('#target', living);
  await look(page, 'console-revoke');
  await page.click('button[value=preview]');
  await heading(page, 'This would end');
  await look(page, 'console-preview');
  await page.click('button[value=revoke]');
  await heading(page, 'This has ended');
  await look(page, 'console-receipt');

  await page.goto(`${CONSOLE}/users/bo`);
  await page.click('form[action$="/disable"] button');
  await page.locator('form[action$="/enable"] button').waitFor();
  await look(page, 'console-user-disabled');
}

async function theDemo(page) {
  await page.goto(`${env.ISSUER}/demo`);
  await look(page, 'demo-start');
  const [name, password] = await page.locator('.hint code').allTextContents();
  await page.click('.button.big');
  await heading(page, 'Sign in');
  await signIn(page, name, password);
  await page.click('button[value=allow]');
  await page.waitForURL('**/demo');
  await look(page, 'demo');
  await page.click('form[action$="/call"] button');
  await page.locator('.latest', { hasText: '200' }).waitFor();
  await page.click('form[action$="/refresh"] button');
  await page.locator('.generation', { hasText: '1 → 2' }).waitFor();
  await page.click('form[action$="/steal"] button');
  await page.locator('.panel.thief').waitFor();
  await page.click('form[action$="/refresh"] button');
  await page.locator('.generation', { hasText: '2 → 3' }).waitFor();
  await look(page, 'demo-stolen');
  await page.click('form[action$="/use-stolen"] button');
  await page.locator('.caught').waitFor();
  await look(page, 'demo-caught');
  await page.click('form[action$="/restart"] button');
  await page.locator('.button.big').waitFor();
}
