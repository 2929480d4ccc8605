// Passkeys, with the authenticator that Chromium has for tests.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import { Authenticator } from './authenticator.mjs';
import { ask, atTheApplication, heading, look, signIn, visit } from './visitor.mjs';

await visit(async (open) => {
  const page = await open();
  const authenticator = await Authenticator.of(page);
  await theyAreAdded(page, authenticator);
  await alone(page, authenticator);
  await remembered(page, authenticator);
  await afterThePassword(page, authenticator);
  await whoCannotBeIdentifiedHasNoShortcut(page, authenticator);
  await removed(page, authenticator);
});

async function theyAreAdded(page, authenticator) {
  await page.goto(`${env.ISSUER}/account`);
  await signIn(page);
  await heading(page, 'Your account');
  await page.fill('#label', "Ana's laptop");
  await authenticator.touched(async () => {
    await page.click('form[data-passkey=create] button');
    await heading(page, 'recovery codes');
  });
  await page.click('.button.primary');
  await page.locator('.row-main', { hasText: "Ana's laptop" }).waitFor();
  const [credential, ...others] = await authenticator.credentials();
  assert.deepEqual(others, []);
  assert.equal(credential.rpId, 'localhost');
  assert.ok(credential.isResidentCredential);
}

async function signOut(page) {
  await page.goto(`${env.ISSUER}/oauth/logout`);
  await page.click('button[value=yes]');
  await heading(page, 'You are signed out');
}

async function alone(page, authenticator) {
  await signOut(page);
  // Among the suggestions of the first field: nothing else is pressed.
  await authenticator.touched(async () => {
    await page.goto(ask(env.PORTAL_ID), { waitUntil: 'commit' });
    assert.ok((await atTheApplication(page)).code);
  });

  // By the button. From here on the browser has no suggestions: it would take them as soon as it is touched.
  await page.addInitScript(() => {
    globalThis.PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await signOut(page);
  await page.goto(ask(env.PORTAL_ID));
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    assert.ok((await atTheApplication(page)).code);
  });
}

/** Whoever asks to be remembered is, and stays so, with all applications, when they confirm that it is them. */
async function remembered(page, authenticator) {
  await signOut(page);
  await page.goto(ask(env.PORTAL_ID));
  await page.check('#remember');
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    assert.ok((await atTheApplication(page)).code);
  });
  const before = await browserSession(page);
  assert.ok(before.expires > Date.now() / 1000 + 24 * 3600, `remembered until ${before.expires}`);
  await page.goto(`${env.ISSUER}/account`);
  const ids = await browsers(page);

  await page.goto(ask(env.PORTAL_ID, { prompt: 'login' }));
  await heading(page, 'Confirm that it');
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    assert.ok((await atTheApplication(page)).code);
  });
  const after = await browserSession(page);
  assert.notEqual(after.value, before.value);
  assert.ok(after.expires > Date.now() / 1000 + 24 * 3600, `still remembered until ${after.expires}`);
  await page.goto(`${env.ISSUER}/account`);
  assert.deepEqual(await browsers(page), ids, 'it is the same browser session');

  // And whoever does not ask is not.
  await signOut(page);
  await page.goto(ask(env.PORTAL_ID));
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    assert.ok((await atTheApplication(page)).code);
  });
  assert.equal((await browserSession(page)).expires, -1, 'it ends with the browser');
}

/** The cookie of the browser session. */
async function browserSession(page) {
  const cookies = await page.context().cookies(env.ISSUER);
  return cookies.find(({ name }) => name === 'countersign');
}

/** The ids of the browser sessions that the account page shows. */
async function browsers(page) {
  await heading(page, 'Your account');
  const ids = page.locator('form[action$="/browsers/end"] input[name=id]');
  return ids.evaluateAll((inputs) => inputs.map(({ value }) => value));
}

async function afterThePassword(page, authenticator) {
  await signOut(page);
  await page.goto(ask(env.PORTAL_ID));
  await signIn(page);
  await heading(page, 'One more step');
  await look(page, 'second-factor-passkey');
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    assert.ok((await atTheApplication(page)).code);
  });
}

/** A key that somebody found: it does not know them, so it is no more than a second factor. */
async function whoCannotBeIdentifiedHasNoShortcut(page, authenticator) {
  await signOut(page);
  await authenticator.knowsItsOwner(false);
  await page.goto(ask(env.PORTAL_ID));
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    await page.locator('form[data-passkey] [role=alert]:visible').waitFor();
  });
  await look(page, 'sign-in-passkey-failed');
  await authenticator.knowsItsOwner(true);
}

async function removed(page, authenticator) {
  await page.goto(`${env.ISSUER}/account`);
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    await heading(page, 'Your account');
  });
  await page.click('form[action$="/passkeys/remove"] button');
  await page.locator('[role=status]', { hasText: 'passkey is removed' }).waitFor();
  assert.equal(await page.locator('form[action$="/passkeys/remove"]').count(), 0);

  // The device has it still, and it is good for nothing.
  assert.equal((await authenticator.credentials()).length, 1);
  await signOut(page);
  await page.goto(ask(env.PORTAL_ID));
  await authenticator.touched(async () => {
    await page.click('form[data-passkey] button');
    await page.locator('#problem', { hasText: 'not known here' }).waitFor();
  });
  await signIn(page);
  assert.ok((await atTheApplication(page)).code);
}
