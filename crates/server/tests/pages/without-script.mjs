// A browser that runs no script, and a person without a mouse.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import { ask, atTheApplication, codeOf, deviceAsks, heading, secretOn, signIn, visit } from './visitor.mjs';

const NEW_PASSWORD = 'quite another staple';

await visit(async (open) => {
  const page = await open({ javaScriptEnabled: false });
  await byKeyboard(page);
  await theAnswerInAForm(page);
  await aDevice(page);
  await aNewPassword(page);
  await anAuthenticatorApp(page);
  await out(page);
  await theDemo(await open({ javaScriptEnabled: false }));
  await nothingIsATrap(await open());
});

async function byKeyboard(page) {
  await page.goto(ask(env.CLIENT_ID));
  assert.equal(await focused(page), 'username', 'the first field is ready to be typed into');
  await page.keyboard.type(env.PERSON);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'password');
  await page.keyboard.type(env.PASSWORD);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'remember');
  await page.keyboard.press('Space');
  assert.ok(await page.isChecked('#remember'));
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'sign_in');
  await page.keyboard.press('Enter');
  await heading(page, 'Allow access?');
  // "No" comes before "yes".
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'deny');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'allow');
  await page.keyboard.press('Enter');
  const { code, state } = await atTheApplication(page);
  assert.ok(code);
  assert.equal(state, 'the-state');
}

/** What has the focus, which has to be seen. */
async function focused(page) {
  const { name, seen } = await page.evaluate(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const seen = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    return { name: element.matches('button') ? element.value : element.id, seen };
  });
  assert.ok(seen, `one cannot see that ${name} has the focus`);
  return name;
}

async function theAnswerInAForm(page) {
  await page.goto(ask(env.PORTAL_ID, { response_mode: 'form_post' }));
  await page.click('form[data-form-post] button');
  await atTheApplication(page);
}

async function aDevice(page) {
  const { device_code, verification_uri_complete } = await deviceAsks();
  await page.goto(verification_uri_complete);
  await page.click('form button');
  await page.click('button[value=allow]');
  await heading(page, 'The device is connected');
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    client_id: env.DEVICE_ID,
    device_code,
  });
  const response = await fetch(`${env.ISSUER}/oauth/token`, { method: 'POST', body });
  assert.ok((await response.json()).access_token);
}

async function aNewPassword(page) {
  await page.goto(`${env.ISSUER}/account`);
  // Times stand there, in UTC; what needs script says so and is not offered.
  assert.match(await page.locator('time').first().textContent(), / UTC$/);
  await page.locator('[data-without-passkey]').waitFor();
  assert.equal(await page.locator('form[data-passkey]').isVisible(), false);
  await page.fill('#current', env.PASSWORD);
  await page.fill('#new', NEW_PASSWORD);
  await page.click('text=Change password');
  await page.locator('[role=status]', { hasText: 'password is changed' }).waitFor();
}

async function anAuthenticatorApp(page) {
  await page.click('form[action$="/totp/add"] button');
  await page.click('summary');
  const secret = await secretOn(page);
  await page.fill('#code', codeOf(secret));
  await page.click('button[value=confirm]');
  await heading(page, 'recovery codes');
  const codes = await page.locator('.codes code').allTextContents();
  await page.click('.button.primary');
  await page.goto(ask(env.PORTAL_ID, { prompt: 'login' }));
  await page.fill('#password', NEW_PASSWORD);
  await page.click('button[value=sign_in]');
  await page.click('.other a');
  await page.fill('#code', codes[0]);
  await page.click('button[value=verify]');
  assert.ok((await atTheApplication(page)).code);
}

async function out(page) {
  await page.goto(`${env.ISSUER}/account`);
  await page.click('.top-links a:has-text("Sign out")');
  await page.click('button[value=yes]');
  await heading(page, 'You are signed out');
  await page.goto(`${env.ISSUER}/account`);
  await heading(page, 'Sign in');
}

async function theDemo(page) {
  await page.goto(`${env.ISSUER}/demo`);
  const [name, password] = await page.locator('.hint code').allTextContents();
  await page.click('.button.big');
  await signIn(page, name, password);
  await page.click('button[value=allow]');
  for (const [button, shown] of [
    ['call', '.latest .badge:has-text("200")'],
    ['steal', '.panel.thief'],
    ['refresh', '.generation:has-text("1 → 2")'],
    ['refresh', '.generation:has-text("2 → 3")'],
    ['use-stolen', '.caught'],
  ]) {
    await page.click(`form[action$="/${button}"] button`);
    await page.locator(shown).waitFor();
  }
}

/** With Tab alone one gets through a page and out of it, and sees at each stop where one is. */
async function nothingIsATrap(page) {
  await page.goto(`${env.ISSUER}/console`);
  await signIn(page, env.OPERATOR);
  await page.waitForURL('**/console/sessions');
  for (const path of ['account', 'console/users', 'console/revoke', 'oauth/logout']) {
    await page.goto(`${env.ISSUER}/${path}`);
    const stops = page.locator('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]');
    let count = 0;
    for (const stop of await stops.all()) count += Number(await stop.isVisible());
    const seen = new Set();
    for (let i = 0; i < count; i += 1) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => {
        const all = [...document.querySelectorAll('*')];
        const { outlineStyle } = getComputedStyle(document.activeElement);
        return outlineStyle === 'none' ? 'unseen' : all.indexOf(document.activeElement);
      }));
    }
    assert.ok(!seen.has('unseen'), path);
    assert.equal(seen.size, count, `${path}: not everything is reached`);
  }
}
