// jose: an API that opens encrypted access tokens, and checks what is in them like any other token.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { env } from 'node:process';

import { CompactEncrypt, compactDecrypt, createRemoteJWKSet, importJWK, jwtVerify } from 'jose';

// What is with the API, and nowhere else.
const ownKey = JSON.parse(env.PRIVATE_JWK);
const privateKey = await importJWK(ownKey, 'ECDH-ES');

const metadata = await (await fetch(`${env.ISSUER}/.well-known/oauth-authorization-server`)).json();
const issuerKeys = createRemoteJWKSet(new URL(metadata.jwks_uri));

async function check(token) {
  const opened = await compactDecrypt(token, privateKey, {
    keyManagementAlgorithms: ['ECDH-ES'],
    contentEncryptionAlgorithms: ['A256GCM'],
  });
  // Anybody can encrypt to a public key: only what is signed in there counts.
  const inner = new TextDecoder().decode(opened.plaintext);
  const { payload } = await jwtVerify(inner, issuerKeys, {
    issuer: env.ISSUER,
    audience: env.API,
    typ: 'at+jwt',
    algorithms: ['ES256'],
  });
  return { header: opened.protectedHeader, inner, payload };
}

const credentials = Buffer.from(`${env.SEALED_ID}:${env.SEALED_SECRET}`).toString('base64');
const answer = await fetch(metadata.token_endpoint, {
  method: 'POST',
  headers: { authorization: `Basic ${credentials}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read' }),
});
assert.equal(answer.status, 200);
const { access_token } = await answer.json();

const { header, inner, payload } = await check(access_token);
assert.equal(payload.client_id, env.SEALED_ID);
assert.equal(payload.scope, 'read');
assert.equal(payload.aud, env.API);
const { epk, ...rest } = header;
assert.deepEqual(rest, { alg: 'ECDH-ES', enc: 'A256GCM', typ: 'at+jwt', cty: 'JWT', kid: ownKey.kid });
assert.deepEqual(Object.keys(epk), ['kty', 'crv', 'x', 'y']);

// The server has not the API's key: it knows the JWT, and not what it is in.
async function introspect(token) {
  const api = Buffer.from(`${env.SERVICE_ID}:${env.SERVICE_SECRET}`).toString('base64');
  const told = await fetch(metadata.introspection_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${api}` },
    body: new URLSearchParams({ token }),
  });
  return told.json();
}
assert.deepEqual(await introspect(access_token), { active: false });
assert.equal((await introspect(inner)).client_id, env.SEALED_ID);

// A changed envelope does not open.
const parts = access_token.split('.');
parts[4] = Buffer.alloc(16).toString('base64url');
await assert.rejects(compactDecrypt(parts.join('.'), privateKey), { code: 'ERR_JWE_DECRYPTION_FAILED' });

// The other way round: an envelope of jose's for countersign-verify to open.
const publicKey = await importJWK({ ...ownKey, d: undefined }, 'ECDH-ES');
const sealed = await new CompactEncrypt(new TextEncoder().encode(inner))
  .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT', kid: ownKey.kid })
  .encrypt(publicKey);
const keys = await (await fetch(metadata.jwks_uri)).json();
await writeFile(env.SEALED_FILE, JSON.stringify({ token: sealed, keys }));
