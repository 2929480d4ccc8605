// What only a browser can show: the back button, tabs, other sites, frames, languages, the brand, and
// pages that are kept up to date.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import { admin, ask, atTheApplication, deviceAsks, heading, look, serve, signIn, visit } from './visitor.mjs';

// A real browser keeps pages to go back to, which the driver would have it leave.
const launch = { ignoreDefaultArgs: ['--disable-back-forward-cache'] };

await visit(async (open) => {
  await theBackButton(await open());
  await twoTabsAtOnce(await open());
  await aNewSessionWithEachSignIn(await open());
  await whatWasTypedIsNotLost(await open());
  await otherSites(await open({}, { isTrusting: true }));
  await german(open);
  await theBrand(await open());
  await eventsComeByThemselves(await open());
}, launch);

async function theBackButton(page) {
  await page.goto(`${env.ISSUER}/account`);
  await signIn(page);
  await heading(page, 'Your account');
  await page.click('.top-links a:has-text("Sign out")');
  await page.click('button[value=yes]');
  await heading(page, 'You are signed out');
  await page.goBack({ waitUntil: 'commit' });
  await heading(page, 'You are signed out');
  await page.goBack({ waitUntil: 'commit' });
  await heading(page, 'Sign in');
  assert.equal(await page.inputValue('#username'), '');
}

async function twoTabsAtOnce(one) {
  const context = one.context();
  const two = await context.newPage();
  await one.goto(ask(env.PORTAL_ID, { state: 'one' }));
  await two.goto(ask(env.PORTAL_ID, { state: 'two' }));
  const held = [];
  await context.route('**/signin?*', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    held.push(route);
    // The last one lets all go.
    if (held.length === 2) await Promise.all(held.map((route) => route.continue()));
  });
  await Promise.all([signIn(one), signIn(two)]);
  for (const [page, state] of [[one, 'one'], [two, 'two']]) {
    const answer = await atTheApplication(page);
    assert.ok(answer.code);
    assert.equal(answer.state, state);
  }
  await context.unroute('**/signin?*');
  await one.goto(`${env.ISSUER}/account`);
  await heading(one, 'Your account');
  await two.close();
}

async function sessionOf(page) {
  return (await ourCookies(page)).find(({ name }) => name === 'countersign');
}

function ourCookies(page) {
  return page.context().cookies(env.ISSUER);
}

async function aNewSessionWithEachSignIn(page) {
  await page.context().addCookies([{ name: 'countersign', value: 'known-to-somebody-else', url: env.ISSUER }]);
  await page.goto(ask(env.PORTAL_ID));
  await signIn(page);
  await atTheApplication(page);
  const first = await sessionOf(page);
  assert.notEqual(first.value, 'known-to-somebody-else');
  assert.deepEqual([first.httpOnly, first.sameSite, first.expires], [true, 'Lax', -1]);
  await page.goto(ask(env.PORTAL_ID, { prompt: 'login' }));
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script sees it');
  await page.fill('#password', env.PASSWORD);
  await page.click('button[value=sign_in]');
  await atTheApplication(page);
  assert.notEqual((await sessionOf(page)).value, first.value);
}

/** Forms that were open while the person signed out, and in again, in another tab. */
async function whatWasTypedIsNotLost(page) {
  const other = await page.context().newPage();
  await other.goto(`${env.ISSUER}/account`);
  await signIn(other);
  await heading(other, 'Your account');
  await page.goto(ask(env.PORTAL_ID, { prompt: 'select_account' }));
  await signOut(other);
  await page.check('#remember');
  await signIn(page, 'Ana with a typo');
  await page.locator('#problem', { hasText: 'signed out in the meantime' }).waitFor();
  assert.equal(await page.inputValue('#username'), 'Ana with a typo');
  assert.equal(await page.inputValue('#password'), '');
  assert.ok(await page.isChecked('#remember'));
  await signIn(page);
  await atTheApplication(page);

  // A device's code: once with nobody there any more, once with the person there anew.
  for (const isBack of [false, true]) {
    const { user_code } = await deviceAsks();
    await page.goto(`${env.ISSUER}/device`);
    await page.fill('#user_code', user_code);
    await signOut(other);
    if (isBack) await signInAgain(other);
    await page.click('form button');
    if (!isBack) await signIn(page);
    else await page.locator('#problem').waitFor();
    assert.equal(await page.locator('#user_code').inputValue(), user_code);
    await page.click('form button');
    await page.click('button[value=deny]');
    await heading(page, 'The device is not connected');
  }
  await other.close();
}

async function signInAgain(page) {
  await page.goto(`${env.ISSUER}/account`);
  await signIn(page);
  await heading(page, 'Your account');
}

async function signOut(page) {
  await page.goto(`${env.ISSUER}/oauth/logout`);
  await page.click('button[value=yes]');
  await heading(page, 'You are signed out');
}

/**
 * Sites of an attacker who even knows the token of the victim's form: one far away, and one at another
 * port of our host, which gets our cookies.
 */
async function otherSites(page) {
  await signInAgain(page);
  const csrf = await page.locator('input[name=csrf]').first().inputValue();
  const cookies = await ourCookies(page);
  assert.equal(cookies.length, 2);
  const attacks = [
    ['/account/password', { current_password: env.PASSWORD, new_password: "the attacker's password" }],
    ['/account/end-others', {}],
    ['/account/recovery-codes', {}],
    ['/oauth/logout', { action: 'yes' }],
  ];
  const form = (request) => {
    const [path, fields] = attacks[new URL(request.url, 'http://_').searchParams.get('attack')] ?? [];
    if (path === undefined) return `<iframe src="${env.ISSUER}/account"></iframe>`;
    const inputs = Object.entries({ csrf, ...fields }).map(([name, value]) => `<input name="${name}" value="${value}">`);
    return `<form method="post" action="${env.ISSUER}${path}">${inputs.join('')}<button>Win a prize</button></form>`;
  };
  // The one name leads to the other's address.
  const evil = await serve(0, form);
  const { port } = evil.address();
  const context = page.context();
  const watched = await context.newPage();
  for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
    for (const attack of attacks.keys()) {
      await watched.goto(`${origin}/?attack=${attack}`);
      await watched.click('button');
      await watched.waitForURL(`${env.ISSUER}/**`);
      await watched.locator('h1').waitFor();
      assert.deepEqual(await ourCookies(page), cookies, `${origin} ${attack}`);
    }
    // Nor can it put our pages into its own.
    const refused = watched.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
    await watched.goto(origin);
    await refused;
  }
  evil.close();
  // The page that was open all the time is as good as before, and the password is what it was.
  await page.fill('#current', 'not the password');
  await page.fill('#new', 'whatever it may be');
  await page.click('text=Change password');
  await page.locator('#password-problem').waitFor();
  await signOut(page);
  await signInAgain(page);
}

async function german(open) {
  const page = await open({ locale: 'de-AT' });
  await page.goto(ask(env.CLIENT_ID));
  await heading(page, 'Anmelden');
  assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  await signIn(page);
  await heading(page, 'Zugriff erlauben?');
  await page.click('button[value=allow]');
  await atTheApplication(page);
  const { refresh_token } = await admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID, device: 'Altes Telefon' });
  const body = new URLSearchParams({ client_id: env.PUBLIC_ID, token: refresh_token });
  await fetch(`${env.ISSUER}/oauth/revoke`, { method: 'POST', body });
  await page.goto(`${env.ISSUER}/account`);
  await heading(page, 'Ihr Konto');
  const ended = page.locator('.row.over', { hasText: 'Altes Telefon' });
  assert.match(await ended.locator('.why').textContent(), /^Die Anwendung hat Sie abgemeldet\./);
  await look(page, 'account-german');

  // The application knows better than the browser.
  const english = await open();
  await english.goto(ask(env.PORTAL_ID, { ui_locales: 'fr de' }));
  await heading(english, 'Anmelden');
  await look(english, 'sign-in-german');
  await signIn(english, env.PERSON, 'falsch');
  await english.locator('[role=alert]', { hasText: 'passen nicht zusammen' }).waitFor();
}

async function theBrand(page) {
  await page.goto(ask(env.PORTAL_ID));
  assert.match(await page.title(), / · Nordwind$/);
  assert.equal((await page.locator('.brand').innerText()).trim(), 'Nordwind');
  const logo = page.locator('.brand img');
  assert.ok(await logo.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
  const button = page.locator('.button.primary');
  const colour = () => button.evaluate((element) => getComputedStyle(element).backgroundColor);
  assert.equal(await colour(), 'rgb(194, 65, 12)');
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await colour(), 'rgb(194, 65, 12)', 'on dark it is lighter');
}

async function eventsComeByThemselves(page) {
  await page.clock.install();
  await page.goto(`${env.ISSUER}/console/events`);
  await signIn(page, env.OPERATOR);
  await page.locator('[data-live-control]').waitFor();
  const rows = () => page.locator('tbody tr').count();
  const before = await rows();
  await admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID });
  const again = page.waitForResponse('**/console/events');
  await page.clock.runFor(3000);
  await again;
  await page.waitForFunction((before) => document.querySelectorAll('tbody tr').length > before, before);

  await page.click('[data-live-control] button');
  const stopped = await rows();
  await admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID });
  let asked = 0;
  page.on('request', () => (asked += 1));
  await page.clock.runFor(10_000);
  assert.equal(asked, 0, 'it stands still');
  assert.equal(await rows(), stopped);
}
