// Every page that a person meets: signing in, allowing, the account, devices, signing out, errors.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import { Authenticator } from './authenticator.mjs';
import { admin, ask, atTheApplication, codeOf, deviceAsks, heading, look, refresh, secretOn, signIn, visit } from './visitor.mjs';

await visit(async (open) => {
  await aFullAccount();
  const page = await open();
  await signingIn(page);
  await newSignIns(page, open);
  const recovery = await theAccount(page);
  await devices(page);
  await signingOut(page);
  await secondFactors(page, recovery[0]);
  await errors(page);
  await tooManyAttempts(await open());
});

/** Sessions on other devices: one lives, one was ended because of a thief, one by the application. */
async function aFullAccount() {
  const session = (device) => admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID, device });
  await session("Ana's telephone");
  const stolen = await session('The old laptop');
  const next = await refresh(stolen.refresh_token);
  await refresh(await refresh(next));
  await refresh(stolen.refresh_token);
  const left = await session('The library');
  await fetch(`${env.ISSUER}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: env.PUBLIC_ID, token: left.refresh_token }),
  });
}

async function signingIn(page) {
  await page.goto(ask(env.CLIENT_ID, { scope: 'openid email offline_access read' }));
  await heading(page, 'Sign in');
  await look(page, 'sign-in');
  await signIn(page, env.PERSON, 'not the password');
  await page.locator('[role=alert]:visible').waitFor();
  await look(page, 'sign-in-wrong');
  await signIn(page);
  await heading(page, 'Allow');
  await look(page, 'consent');
  await page.click('button[value=allow]');
  assert.ok((await atTheApplication(page)).code);

  await page.goto(ask(env.CLIENT_ID, { scope: 'openid email profile read' }));
  await page.locator('.badge', { hasText: 'new' }).waitFor();
  await look(page, 'consent-wider');
  await page.click('button[value=deny]');
  assert.equal((await atTheApplication(page)).error, 'access_denied');

  await page.goto(ask(env.PORTAL_ID, { prompt: 'login' }));
  await heading(page, 'Confirm that it is you');
  await look(page, 'confirm');
  await page.fill('#password', env.PASSWORD);
  await page.click('button[value=sign_in]');
  assert.ok((await atTheApplication(page)).code);

  // Where no script runs, there is a page with a button on the way back.
  const script = '**/assets/form-post*';
  await page.route(script, (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
  await page.goto(ask(env.PORTAL_ID, { response_mode: 'form_post' }));
  await page.locator('form[data-form-post]').waitFor();
  await look(page, 'form-post');
  await page.click('form[data-form-post] button');
  await atTheApplication(page);
  await page.unroute(script);
}

/** Signed in on another device, which is asked about here: it was Ana's, and the next one was not. */
async function newSignIns(page, open) {
  const devices = {
    accept: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604.1',
    refuse: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0',
  };
  const others = {};
  for (const [answer, userAgent] of Object.entries(devices)) {
    others[answer] = await open({ userAgent });
    await others[answer].goto(`${env.ISSUER}/account`);
    await signIn(others[answer]);
    await heading(others[answer], 'Your account');
  }
  await page.goto(`${env.ISSUER}/account`);
  await page.locator('h2', { hasText: 'was this you?' }).waitFor();
  await look(page, 'account-new-sign-ins');
  const row = (device) => page.locator('section.new li', { hasText: device });
  await row('Safari, iPhone').locator('form[action$="/accept"] button').click();
  await page.locator('[role=status]', { hasText: 'We know it' }).waitFor();
  assert.equal(await row('Safari, iPhone').count(), 0);
  await row('Firefox, Windows').locator('form[action$="/refuse"] button').click();
  await page.locator('[role=status]', { hasText: 'change your password' }).waitFor();
  await look(page, 'account-sign-in-refused');
  assert.equal(await page.locator('section.new').count(), 0);
  await others.accept.goto(`${env.ISSUER}/account`);
  await heading(others.accept, 'Your account');
  await others.refuse.goto(`${env.ISSUER}/account`);
  await heading(others.refuse, 'Sign in');
}

async function theAccount(page) {
  await page.goto(`${env.ISSUER}/account`);
  await heading(page, 'Your account');
  await page.locator('.why.alarming', { hasText: 'somebody else had a copy' }).waitFor();
  await look(page, 'account');
  await page.fill('#current', 'not the password');
  await page.fill('#new', 'a new password for Ana');
  await page.click('text=Change password');
  await page.locator('#password-problem').waitFor();
  await look(page, 'account-password-wrong');
  await page.goto(`${env.ISSUER}/account`);

  await page.click('form[action$="/totp/add"] button');
  await heading(page, 'authenticator app');
  await look(page, 'authenticator');
  const secret = await secretOn(page);
  await page.fill('#code', '000 000');
  await page.click('button[value=confirm]');
  await page.locator('[role=alert]').waitFor();
  await look(page, 'authenticator-wrong');
  await page.fill('#code', codeOf(secret));
  await page.click('button[value=confirm]');
  await heading(page, 'recovery codes');
  await look(page, 'recovery-codes');
  const recovery = await page.locator('.codes code').allTextContents();
  assert.equal(recovery.length, 10);

  await page.goto(`${env.ISSUER}/account`);
  const authenticator = await Authenticator.of(page);
  await page.fill('#label', "Ana's key");
  await authenticator.touched(async () => {
    await page.click('form[data-passkey=create] button');
    await page.locator('[role=status]', { hasText: 'passkey is added' }).waitFor();
  });
  await look(page, 'account-with-factors');
  return recovery;
}

async function devices(page) {
  for (const [decision, name] of [['allow', 'device-allowed'], ['deny', 'device-denied']]) {
    const { user_code } = await deviceAsks();
    await page.goto(`${env.ISSUER}/device`);
    if (decision === 'allow') {
      await look(page, 'device');
      await page.fill('#user_code', 'BCDF-GHJK');
      await page.click('form button');
      await page.locator('[role=alert]').waitFor();
      await look(page, 'device-unknown');
    }
    await page.fill('#user_code', user_code);
    await page.click('form button');
    await page.locator('.big-code').waitFor();
    if (decision === 'allow') await look(page, 'device-confirm');
    await page.click(`button[value=${decision}]`);
    await page.locator('form').waitFor({ state: 'detached' });
    await look(page, name);
  }
}

async function signingOut(page) {
  await page.goto(`${env.ISSUER}/oauth/logout?client_id=${env.PORTAL_ID}`);
  await heading(page, 'Sign out');
  await look(page, 'sign-out');
  await page.click('button[value=yes]');
  await heading(page, 'signed out');
  await look(page, 'signed-out');
}

async function secondFactors(page, recoveryCode) {
  await page.goto(ask(env.PORTAL_ID));
  await signIn(page);
  await heading(page, 'One more step');
  await look(page, 'second-factor');
  await page.fill('#code', '000000');
  await page.click('button[value=verify]');
  await page.locator('[role=alert]:visible').waitFor();
  await look(page, 'second-factor-wrong');
  await page.click('.other a');
  await page.locator('[name=recovery_code]').waitFor();
  await look(page, 'recovery-code');
  await page.fill('#code', recoveryCode);
  await page.click('button[value=verify]');
  assert.ok((await atTheApplication(page)).code);
}

async function errors(page) {
  const pages = {
    'error-unknown-application': ask('nobody'),
    'error-return-address': ask(env.PORTAL_ID, { redirect_uri: 'https://elsewhere.example/' }),
    'error-expired': `${env.ISSUER}/signin?i=long-gone`,
    'error-not-allowed': `${env.ISSUER}/console`,
    'error-nothing-here': `${env.ISSUER}/no-such-page`,
    lifetimes: `${env.ISSUER}/docs/lifetimes`,
  };
  for (const [name, url] of Object.entries(pages)) {
    await page.goto(url);
    await look(page, name);
  }
}

async function tooManyAttempts(page) {
  await page.goto(ask(env.PORTAL_ID));
  const wait = page.locator('[role=alert]', { hasText: 'Too many attempts' });
  for (let attempt = 0; !(await wait.isVisible()); attempt += 1) {
    assert.ok(attempt < 20, 'a guesser has to wait');
    await signIn(page, 'guessed', `guess ${attempt}`);
    await page.locator('[role=alert]:visible').waitFor();
  }
  await look(page, 'sign-in-too-many');
}
