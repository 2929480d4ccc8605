// The token decoder: it says what the command says, shows hostile text as text, and tells nobody.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { env } from 'node:process';

import { admin, heading, look, signIn, visit } from './visitor.mjs';

const PAGE = `${env.ISSUER}/decode`;
// The same table that the command is tested with.
const { now, cases } = JSON.parse(readFileSync(new URL('tokens.json', import.meta.url)));
const { token: rules, texts } = await whatIsServed();
const HOSTILE = '<img src=x onerror="document.title=1"></td><script>document.title=2</script>javascript:alert(3)';

// A real browser keeps pages to go back to, which the driver would have it leave.
const launch = { ignoreDefaultArgs: ['--disable-back-forward-cache'] };

await visit(async (open) => {
  theTable();
  theCommandSaysTheSame();
  await everyCase(open);
  await whatIsTyped(await open());
  await thePolicy(await open({}, { isTrusting: true }));
  await live(await open());
  await looks(open);
  await withoutScript(await open({ javaScriptEnabled: false }));
}, launch);

/** The scripts of the page, and what it gives them, in this program. */
async function whatIsServed() {
  const html = await (await fetch(PAGE)).text();
  for (const name of ['token', 'findings']) {
    const [path] = html.match(new RegExp(`/assets/${name}-[0-9a-f]+\\.js`));
    const source = await (await fetch(env.ISSUER + path)).text();
    await import(`data:text/javascript,${encodeURIComponent(source)}`);
  }
  const [, data] = html.match(/data-decoder="([^"]*)"/);
  const unescaped = data.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code)).replaceAll('&amp;', '&');
  return { token: globalThis.countersignToken, texts: JSON.parse(unescaped) };
}

function tokenOf({ token, parts }) {
  return token ?? parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
}

/** What the scripts say of a token: findings, or why it is none. */
function told(token, at) {
  try {
    return { findings: rules.judge(rules.read(token), at, texts).map(({ level, text }) => [level, text]) };
  } catch (problem) {
    assert.ok(problem.code, problem.stack);
    return { refused: rules.sentence(problem, texts) };
  }
}

function theTable() {
  for (const { name, findings, refused, ...rest } of cases) {
    assert.deepEqual(told(tokenOf(rest), now * 1000), refused === undefined ? { findings } : { refused }, name);
  }
}

/** Tokens that nobody thought of, made of those that somebody did. */
function theCommandSaysTheSame() {
  for (let i = 0; i < 120; i += 1) {
    const token = strange();
    const command = spawnSync(env.COUNTERSIGN, ['token', 'decode', '--json'], { input: token, encoding: 'utf8' });
    const { findings, refused } = told(token, Date.now());
    const as = JSON.stringify({ token, out: command.stdout, err: command.stderr });
    if (refused !== undefined) {
      assert.equal(command.status, 1, as);
      assert.equal(command.stderr, `error: ${refused}\n`, as);
    } else {
      assert.equal(command.status, 0, as);
      const said = JSON.parse(command.stdout).findings.map(({ level, text }) => [level, text]);
      // A second may pass between the two.
      assert.deepEqual(said.map(withoutTimes), findings.map(withoutTimes), as);
    }
  }
}

function withoutTimes([level, text]) {
  return [level, text.replace(/\d+ (s|min|h|days?|years?)\b/g, '…')];
}

function strange() {
  const pick = (list) => list[randomInt(list.length)];
  const some = cases.filter(({ parts }) => parts?.length === 3);
  const parts = [0, 1, 2].map((place) => Buffer.from(pick(some).parts[place]));
  const part = parts[randomInt(2)];
  switch (randomInt(4)) {
    case 0: part[randomInt(part.length || 1)] = pick([...Buffer.from('{}[]":,\\u0 e9.-')]); break;
    case 1: parts[1] = Buffer.concat([part.subarray(0, randomInt(part.length + 1)), part]); break;
    case 2: part[randomInt(part.length || 1)] = randomBytes(1)[0]; break;
    default:
  }
  const token = parts.map((bytes) => bytes.toString('base64url')).join('.');
  const at = randomInt(token.length);
  return randomInt(4) ? token : token.slice(0, at) + pick(['', '.', '=', 'A', '_']) + token.slice(at + 1);
}

/** Each case on the page itself, which asks for nothing once it is there. */
async function everyCase(open) {
  const page = await open();
  await page.clock.setFixedTime(now * 1000);
  const requests = await quietly(page);
  for (const { name, findings, refused, ...rest } of cases) {
    const token = tokenOf(rest);
    await page.fill('#token', token);
    const status = await page.locator('[data-status]').textContent();
    assert.equal(await page.locator('[data-result]').isVisible(), refused === undefined, name);
    if (refused === undefined) {
      const said = await page.locator('[data-findings] li:has(.badge)').evaluateAll((all) => all.map((item) => item.querySelector('span').textContent));
      assert.deepEqual(said, findings.map(([, text]) => rules.line(text)), name);
      if (!findings.length) await page.locator('[data-findings]', { hasText: 'does not make it valid' }).waitFor();
    } else {
      assert.ok(status.includes(rules.line(refused)), `${name}: ${status}`);
    }
  }
  await nothingIsLeft(page, requests);
}

/** The page with note taken of every request from now on, and of every way around requests. */
async function quietly(page) {
  await page.addInitScript(() => {
    globalThis.told = [];
    const tell = (object, name) => {
      object[name] = (...all) => globalThis.told.push([name, ...all]);
    };
    [[navigator, 'sendBeacon'], [globalThis, 'fetch'], [globalThis, 'open'], [history, 'pushState'], [history, 'replaceState']].forEach((way) => tell(...way));
    for (const name of ['WebSocket', 'EventSource', 'XMLHttpRequest', 'RTCPeerConnection', 'Worker', 'BroadcastChannel']) tell(globalThis, name);
    globalThis.setItem = Storage.prototype.setItem;
    tell(Storage.prototype, 'setItem');
  });
  await page.goto(PAGE, { waitUntil: 'networkidle' });
  await page.locator('#token').waitFor();
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  page.on('popup', (popup) => requests.push(popup.url()));
  return requests;
}

async function nothingIsLeft(page, requests) {
  await page.waitForTimeout(200);
  assert.deepEqual(requests, [], 'something was asked for');
  const kept = await page.evaluate(async () => ({
    told: globalThis.told,
    stored: [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length],
    cookie: document.cookie,
    address: location.href,
    history: history.length,
    state: history.state,
    elements: document.querySelectorAll('main img, main script, main iframe, main [onerror], main [data-tables] a').length,
  }));
  const address = page.url();
  assert.equal(address, PAGE);
  assert.deepEqual(kept, { told: [], stored: [0, 0, 0, 0], cookie: '', address, history: 2, state: null, elements: 0 });
  assert.equal(await page.title(), 'Token decoder · Countersign');
}

async function whatIsTyped(page) {
  const requests = await quietly(page);
  const attributes = await page.locator('#token').evaluate((field) => ({
    form: field.form,
    name: field.name,
    // What browsers have others look at: spelling, suggestions, translations.
    spellcheck: field.spellcheck,
    suggestions: field.getAttribute('writingsuggestions'),
    translate: field.translate || document.querySelector('[data-result]').translate,
    autocomplete: field.autocomplete,
  }));
  assert.deepEqual(attributes, { form: null, name: '', spellcheck: false, suggestions: 'false', translate: false, autocomplete: 'off' });

  const claims = { sub: HOSTILE, [HOSTILE]: HOSTILE, link: 'javascript:alert(1)', exp: 1, n: 0, list: [HOSTILE], esc: 'a\u202eb\u001b[2J\u00ad' };
  const json = JSON.stringify(claims).replace('"n":0', '"n":12345678901234567890');
  const hostile = `${part({ alg: 'none', typ: HOSTILE, kid: HOSTILE })}.${part(json)}.${part('x')}`;
  await page.fill('#token', `Authorization: Bearer ${hostile}\n`);
  const cells = page.locator('[data-tables] td');
  assert.ok((await cells.allTextContents()).includes(HOSTILE), 'it is there as text');
  await page.locator('td', { hasText: /^12345678901234567890$/ }).waitFor();
  await page.locator('td', { hasText: 'a\ufffdb\ufffd[2J\ufffd' }).waitFor();
  await page.locator('td', { hasText: 'expired 56 years ago' }).waitFor();
  await nothingIsLeft(page, requests);

  // By keyboard, and with a screen reader, which is told what was found.
  await page.focus('#token');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Clear');
  await page.keyboard.press('Enter');
  assert.equal(await page.inputValue('#token'), '');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  assert.equal(await page.locator('[role=status]').textContent(), '');
  assert.equal(await page.locator('[data-result]').isVisible(), false);
  await page.keyboard.type('hello');
  await page.locator('[role=status]', { hasText: 'cannot be read' }).waitFor();
  await page.fill('#token', 'a'.repeat(70_000));
  await page.locator('[role=status]', { hasText: 'more than 65536 bytes' }).waitFor();

  // Whoever goes back finds nothing.
  await page.fill('#token', hostile);
  await page.goto(`${env.ISSUER}/no-such-page`);
  await page.goBack();
  await page.locator('#token').waitFor();
  assert.equal(await page.inputValue('#token'), '');
  await page.fill('#token', hostile);
  await page.reload();
  assert.equal(await page.inputValue('#token'), '');
}

/** Whatever a script would do, the browser itself sends nothing and takes no text for markup. */
async function thePolicy(page) {
  await page.goto(PAGE);
  const outcome = await page.evaluate(async () => {
    const failed = async (act) => {
      try {
        await act();
        return 'done';
      } catch (error) {
        return error.name;
      }
    };
    const form = document.createElement('form');
    form.action = '/signin';
    form.method = 'post';
    document.body.append(form);
    form.submit();
    return [
      await failed(() => fetch('/healthz')),
      await failed(() => { document.createElement('p').innerHTML = '<b>'; }),
      await failed(() => new Promise((resolve, reject) => {
        const frame = document.createElement('script');
        frame.addEventListener('error', () => reject(new TypeError('blocked')));
        frame.addEventListener('load', resolve);
        frame.src = 'data:text/javascript,';
        document.body.append(frame);
      })),
    ];
  });
  assert.deepEqual(outcome, ['TypeError', 'TypeError', 'TypeError']);
  assert.equal(page.url(), PAGE);
}

function part(value) {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** Tokens of this server. */
async function live(page) {
  const pair = await admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID });
  await page.goto(PAGE);
  await page.fill('#token', pair.access_token);
  await page.locator('[role=status]', { hasText: 'A signed token (JWT)' }).waitFor();
  await page.locator('[role=status]', { hasText: /expires in (15|14) min, / }).waitFor();
  await page.locator('[data-findings]', { hasText: 'Nothing stands out' }).waitFor();
  await page.fill('#token', pair.refresh_token);
  await page.locator('[data-tables]', { hasText: pair.session_id }).waitFor();
  await page.locator('[data-findings]', { hasText: 'paste it nowhere' }).waitFor();
}

async function looks(open) {
  const page = await open();
  await page.goto(PAGE);
  await heading(page, 'Token decoder');
  await look(page, 'decode');
  const pair = await admin('/sessions', { user: env.PERSON, client: env.PUBLIC_ID });
  await page.fill('#token', pair.access_token);
  await look(page, 'decode-good');
  await page.fill('#token', pair.refresh_token);
  await look(page, 'decode-refresh');
  await page.fill('#token', 'hello');
  await look(page, 'decode-unreadable');
  await page.click('text=Show an example');
  await page.locator('[data-findings]', { hasText: 'algorithm is none' }).waitFor();
  await look(page, 'decode-example');

  // From the console one comes here, and back.
  await page.goto(`${env.ISSUER}/console`);
  await signIn(page, env.OPERATOR);
  await page.click('.top-links a:has-text("Token decoder")');
  await heading(page, 'Token decoder');
  await page.click('.top-links a:has-text("Console")');
  await heading(page, 'Sessions');

  const german = await open({ locale: 'de-DE', timezoneId: 'Europe/Berlin' });
  await german.goto(PAGE);
  await heading(german, 'Token-Decoder');
  await german.click('text=Ein Beispiel zeigen');
  await german.locator('[data-findings]', { hasText: 'seine Lebensdauer von 1 Tag ist lang' }).waitFor();
  await german.locator('[role=status]', { hasText: 'läuft ab in' }).waitFor();
  await look(german, 'decode-german');
}

async function withoutScript(page) {
  await page.goto(PAGE);
  await page.locator('[data-without-script]', { hasText: 'countersign token decode' }).waitFor();
  assert.equal(await page.locator('#token').isVisible(), false);
  assert.ok(await page.getByText('Decoding is not validation').isVisible());
}
