// openid-client: the operator's own web application, which asks nobody for consent, and people who come
// to it with Chromium. The code comes back in the address, or in a form.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { env } from 'node:process';
import { text } from 'node:stream/consumers';

import * as client from 'openid-client';

import { inChromium, picture } from './chromium.mjs';

// The test's server listens on loopback without TLS. Leave this out everywhere else.
const onLoopback = { execute: [client.allowInsecureRequests] };
const issuer = new URL(env.ISSUER);
const config = await client.discovery(issuer, env.PORTAL_ID, env.PORTAL_SECRET, undefined, onLoopback);
// What has to be remembered until the person is back: a real application keeps it by a cookie of its own.
const expected = new Map();

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(`${error.stack}\n${error.cause}`));
});
await new Promise((resolve) => server.listen(new URL(env.APP).port, '127.0.0.1', resolve));
await inChromium(main);
server.close();

async function main(newContext) {
  for (const mode of ['query', 'form_post']) {
    const { context, complaints } = await newContext();
    const page = await context.newPage();
    await page.goto(`${env.APP}/sign-in?mode=${mode}`);
    await page.fill('#username', env.PERSON);
    await page.fill('#password', env.PASSWORD);
    await page.click('button[value=sign_in]');
    await reads(page, `${env.PERSON} is signed in.`);

    // Who is signed in is not asked again.
    await page.goto(`${env.APP}/sign-in?mode=${mode}`);
    await reads(page, `${env.PERSON} is signed in.`);

    // Somebody who goes back, or says no.
    await page.goto(`${env.APP}/sign-in?mode=${mode}&prompt=login`);
    await picture(page, 'sign-in-confirm');
    await page.click('button[value=cancel]');
    await reads(page, 'access_denied');

    // Without an ID token the person is asked whether to sign out.
    await page.goto(`${env.APP}/sign-out`);
    await picture(page, 'sign-out');
    await page.click('button[value=yes]');
    await reads(page, 'Nobody is signed in.');
    await page.goto(`${env.APP}/sign-in?mode=${mode}`);
    await page.waitForSelector('#password');
    assert.deepEqual(complaints, []);
    await context.close();
  }
  await onADevice((await newContext()).context);
}

/** A device's code, typed where the person is signed in. */
async function onADevice(context) {
  const device = await client.discovery(issuer, env.DEVICE_ID, undefined, client.None(), onLoopback);
  const codes = await client.initiateDeviceAuthorization(device, { scope: 'openid profile read' });
  const page = await context.newPage();
  await page.goto(codes.verification_uri);
  await page.fill('#username', env.PERSON);
  await page.fill('#password', env.PASSWORD);
  await page.click('button[value=sign_in]');
  await page.fill('#user_code', codes.user_code.toLowerCase());
  await picture(page, 'device');
  await page.click('form button');
  await page.waitForSelector('button[value=allow]');
  // However it was typed, the person compares it with what the device shows.
  assert.equal(await page.locator('.big-code').innerText(), codes.user_code);
  await picture(page, 'device-confirm');
  await page.click('button[value=allow]');
  await page.waitForSelector('form', { state: 'detached' });
  await picture(page, 'device-done');
  const tokens = await client.pollDeviceAuthorizationGrant(device, codes);
  assert.equal((await client.fetchUserInfo(device, tokens.access_token, tokens.claims().sub)).name, undefined);
}

async function reads(page, text) {
  await page.locator('p', { hasText: text }).waitFor();
}

/** The application. */
async function answer(request, response) {
  const url = new URL(request.url, env.APP);
  const say = (words) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,"><p>${words}</p>`);
  const redirect = (to) => response.writeHead(303, { location: to.href }).end();
  switch (url.pathname) {
    case '/sign-in': {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
      expected.set(expectedState, { pkceCodeVerifier, expectedState, expectedNonce });
      const parameters = {
        redirect_uri: `${env.APP}/callback`,
        scope: 'openid profile',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        nonce: expectedNonce,
        response_mode: url.searchParams.get('mode'),
      };
      if (url.searchParams.has('prompt')) parameters.prompt = url.searchParams.get('prompt');
      return redirect(client.buildAuthorizationUrl(config, parameters));
    }
    case '/callback': {
      const body = request.method === 'POST' ? await text(request) : undefined;
      const { method, headers } = request;
      const back = body === undefined ? url : new Request(url, { method, headers, body });
      const { searchParams } = body === undefined ? url : new URL(`?${body}`, url);
      try {
        const tokens = await client.authorizationCodeGrant(config, back, expected.get(searchParams.get('state')));
        const { sub } = tokens.claims();
        const { preferred_username } = await client.fetchUserInfo(config, tokens.access_token, sub);
        return say(`${preferred_username} is signed in.`);
      } catch (error) {
        if (error instanceof client.AuthorizationResponseError) return say(error.error);
        throw error;
      }
    }
    case '/sign-out':
      return redirect(client.buildEndSessionUrl(config, { post_logout_redirect_uri: env.APP }));
    case '/':
      return say('Nobody is signed in.');
    default:
      return response.writeHead(404).end();
  }
}
