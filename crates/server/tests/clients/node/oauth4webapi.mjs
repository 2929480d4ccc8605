// oauth4webapi: a public client (a desktop program), and the API that it calls.

import assert from 'node:assert/strict';
import { env } from 'node:process';
import { setTimeout } from 'node:timers/promises';

import * as oauth from 'oauth4webapi';

import { Person } from './person.mjs';

// The test's server listens on loopback without TLS. Leave this out everywhere else.
const onLoopback = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(env.ISSUER);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, onLoopback));
const client = { client_id: env.PUBLIC_ID };
const noSecret = oauth.None();
const person = new Person(env.ISSUER, env.PERSON, env.PASSWORD);
const scope = 'openid profile offline_access read';

// Sign in.
let tokens = await signIn(ask);
const claims = oauth.getValidatedIdTokenClaims(tokens);
const { sub } = claims;
assert.equal(claims.aud, client.client_id);
assert.equal(claims.amr[0], 'pwd');
assert.equal((await userinfo(tokens)).preferred_username, env.PERSON);

// The API checks the access token by the server's published keys (RFC 9068).
const call = new Request(env.API, { headers: { authorization: `Bearer ${tokens.access_token}` } });
const access = await oauth.validateJwtAccessToken(as, call, env.API, onLoopback);
assert.deepEqual([access.sub, access.client_id], [sub, client.client_id]);
assert.ok(access.scope.split(' ').includes('read'));

// Refresh, one after another.
for (let i = 0; i < 5; i += 1) {
  const next = await refresh(tokens);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  assert.equal(oauth.getValidatedIdTokenClaims(next).sub, sub);
  tokens = next;
}
// Eight at once with one token: all get the same successor, and nobody is signed out.
const at_once = await Promise.all(Array.from({ length: 8 }, () => refresh(tokens)));
assert.equal(new Set(at_once.map((answer) => answer.refresh_token)).size, 1);
tokens = await refresh(at_once[0]);
await userinfo(tokens);

// Revoke.
const revocation = await oauth.revocationRequest(as, client, noSecret, tokens.refresh_token, onLoopback);
await oauth.processRevocationResponse(revocation);
await isOver(tokens);

// Sign in again, by a pushed request, and out.
tokens = await signIn(push);
const end = new URL(as.end_session_endpoint);
end.searchParams.set('id_token_hint', tokens.id_token);
end.searchParams.set('post_logout_redirect_uri', env.POST_LOGOUT_REDIRECT_URI);
assert.equal((await person.goTo(end)).href, env.POST_LOGOUT_REDIRECT_URI);
await isOver(tokens);

await onADevice();
await forItself();

async function signIn(toUrl) {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = await toUrl({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: env.REDIRECT_URI,
    scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const back = oauth.validateAuthResponse(as, client, await person.goTo(url), state);
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    noSecret,
    back,
    env.REDIRECT_URI,
    verifier,
    onLoopback,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  // The ID token's signature is checked too, though it came straight from the server.
  await oauth.validateApplicationLevelSignature(as, response, onLoopback);
  return tokens;
}

function ask(parameters) {
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams(parameters);
  return url;
}

async function push(parameters) {
  const response = await oauth.pushedAuthorizationRequest(as, client, noSecret, parameters, onLoopback);
  const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, response);
  return ask({ client_id: client.client_id, request_uri });
}

async function refresh({ refresh_token }) {
  const response = await oauth.refreshTokenGrantRequest(as, client, noSecret, refresh_token, onLoopback);
  return oauth.processRefreshTokenResponse(as, client, response);
}

async function userinfo({ access_token }) {
  const response = await oauth.userInfoRequest(as, client, access_token, onLoopback);
  return oauth.processUserInfoResponse(as, client, sub, response);
}

async function isOver(tokens) {
  await assert.rejects(refresh(tokens), { error: 'invalid_grant' });
  // What the `WWW-Authenticate` header says (RFC 6750 section 3.1).
  await assert.rejects(userinfo(tokens), ({ cause }) => {
    assert.equal(cause[0].scheme, 'bearer');
    assert.equal(cause[0].parameters.error, 'invalid_token');
    return true;
  });
}

// A device without a keyboard, while the person decides elsewhere (RFC 8628).
async function onADevice() {
  const device = { client_id: env.DEVICE_ID };
  const begun = await oauth.deviceAuthorizationRequest(as, device, noSecret, { scope }, onLoopback);
  const codes = await oauth.processDeviceAuthorizationResponse(as, device, begun);
  const poll = async () => {
    const { device_code } = codes;
    const response = await oauth.deviceCodeGrantRequest(as, device, noSecret, device_code, onLoopback);
    return oauth.processDeviceCodeResponse(as, device, response);
  };
  await assert.rejects(poll(), { error: 'authorization_pending' });
  await person.goTo(codes.verification_uri_complete);
  // A device may ask every so often, and not sooner.
  await setTimeout(codes.interval * 1000);
  const tokens = await poll();
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).sub, sub);
}

// A service acts for itself, and asks whether tokens are good.
async function forItself() {
  const service = { client_id: env.SERVICE_ID };
  const secret = oauth.ClientSecretPost(env.SERVICE_SECRET);
  const parameters = { scope: 'read', resource: env.API };
  const response = await oauth.clientCredentialsGrantRequest(as, service, secret, parameters, onLoopback);
  const own = await oauth.processClientCredentialsResponse(as, service, response);
  const introspect = async () => {
    const { access_token } = own;
    const answer = await oauth.introspectionRequest(as, service, secret, access_token, onLoopback);
    return oauth.processIntrospectionResponse(as, service, answer);
  };
  const told = await introspect();
  assert.deepEqual([told.active, told.client_id, told.scope], [true, env.SERVICE_ID, 'read']);
  const revoked = await oauth.revocationRequest(as, service, secret, own.access_token, onLoopback);
  await oauth.processRevocationResponse(revoked);
  assert.equal((await introspect()).active, false);
}
