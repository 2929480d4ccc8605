// openid-client: a web application on Node.

import assert from 'node:assert/strict';
import { env } from 'node:process';

import * as client from 'openid-client';

import { Person } from './person.mjs';

// The test's server listens on loopback without TLS. Leave this out everywhere else.
const onLoopback = { execute: [client.allowInsecureRequests] };
const issuer = new URL(env.ISSUER);
const config = await client.discovery(issuer, env.CLIENT_ID, env.CLIENT_SECRET, undefined, onLoopback);
// The ID token's signature is checked too, though it came straight from the server.
client.enableNonRepudiationChecks(config);

const person = new Person(env.ISSUER, env.PERSON, env.PASSWORD);
const scope = 'openid profile email offline_access read';

async function signIn(toUrl) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = await toUrl(config, {
    redirect_uri: env.REDIRECT_URI,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  });
  const back = await person.goTo(url);
  return client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier,
    expectedState,
    expectedNonce,
    idTokenExpected: true,
  });
}

// Sign in, and see who it is.
let tokens = await signIn(client.buildAuthorizationUrl);
const { sub, sid } = tokens.claims();
assert.match(sid, /^[0-9a-f-]{36}$/);
const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub);
assert.equal(userinfo.preferred_username, env.PERSON);
assert.equal(userinfo.email, env.EMAIL);

// Refresh, one after another.
for (let i = 0; i < 5; i += 1) {
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  assert.equal(next.claims().sub, sub);
  tokens = next;
}
// Eight at once with one token: all get the same successor, and nobody is signed out.
const at_once = await Promise.all(
  Array.from({ length: 8 }, () => client.refreshTokenGrant(config, tokens.refresh_token)),
);
assert.equal(new Set(at_once.map((answer) => answer.refresh_token)).size, 1);
tokens = await client.refreshTokenGrant(config, at_once[0].refresh_token);
await client.fetchUserInfo(config, tokens.access_token, sub);

// Revoke.
await client.tokenRevocation(config, tokens.refresh_token);
await isOver(tokens);

// Sign in again, by a pushed request; who is signed in is not asked again. Then sign out.
tokens = await signIn(client.buildAuthorizationUrlWithPAR);
const state = client.randomState();
const end = client.buildEndSessionUrl(config, {
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: env.POST_LOGOUT_REDIRECT_URI,
  state,
});
const after = await person.goTo(end);
assert.equal(after.href, `${env.POST_LOGOUT_REDIRECT_URI}?state=${state}`);
await isOver(tokens);

// A device without a keyboard, while the person decides elsewhere.
const device = await client.discovery(issuer, env.DEVICE_ID, undefined, client.None(), onLoopback);
const codes = await client.initiateDeviceAuthorization(device, { scope });
await person.goTo(codes.verification_uri_complete);
tokens = await client.pollDeviceAuthorizationGrant(device, codes);
await client.fetchUserInfo(device, tokens.access_token, sub);

// A service acts for itself, and asks whether tokens are good.
const service = await client.discovery(
  issuer,
  env.SERVICE_ID,
  env.SERVICE_SECRET,
  client.ClientSecretBasic(env.SERVICE_SECRET),
  onLoopback,
);
const own = await client.clientCredentialsGrant(service, { scope: 'read', resource: env.API });
const told = await client.tokenIntrospection(service, own.access_token);
assert.deepEqual([told.active, told.client_id], [true, env.SERVICE_ID]);
await client.tokenRevocation(service, own.access_token);
assert.equal((await client.tokenIntrospection(service, own.access_token)).active, false);

async function isOver({ refresh_token, access_token }) {
  await assert.rejects(client.refreshTokenGrant(config, refresh_token), { error: 'invalid_grant' });
  await assert.rejects(client.fetchUserInfo(config, access_token, sub), { status: 401 });
}
