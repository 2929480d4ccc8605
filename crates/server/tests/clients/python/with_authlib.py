"""Authlib: a web application on requests."""

import os
from concurrent.futures import ThreadPoolExecutor

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from person import Person

env = os.environ
scope = "openid profile email offline_access read"
provider = requests.get(env["ISSUER"] + "/.well-known/openid-configuration").json()
assert provider["issuer"] == env["ISSUER"]
keys = KeySet.import_key_set(requests.get(provider["jwks_uri"]).json())
person = Person(env["ISSUER"], env["PERSON"], env["PASSWORD"])


def session(token=None):
    return OAuth2Session(
        env["CLIENT_ID"],
        env["CLIENT_SECRET"],
        scope=scope,
        redirect_uri=env["REDIRECT_URI"],
        code_challenge_method="S256",
        token_endpoint=provider["token_endpoint"],
        token=token,
    )


def sign_in():
    client = session()
    code_verifier, nonce = generate_token(48), generate_token()
    url, state = client.create_authorization_url(
        provider["authorization_endpoint"], code_verifier=code_verifier, nonce=nonce
    )
    token = client.fetch_token(
        authorization_response=person.go_to(url), state=state, code_verifier=code_verifier
    )
    return client, claims(token, nonce)


def claims(token, nonce=None):
    """The ID token's claims, with the signature and all that the standard asks for checked."""
    algorithms = provider["id_token_signing_alg_values_supported"]
    id_token = jwt.decode(token["id_token"], keys, algorithms=algorithms)
    told = CodeIDToken(
        id_token.claims,
        id_token.header,
        {"iss": {"values": [provider["issuer"]]}, "aud": {"values": [env["CLIENT_ID"]]}},
        {"nonce": nonce, "client_id": env["CLIENT_ID"], "access_token": token["access_token"]},
    )
    told.validate()
    return told


def refreshed(refresh_token):
    """Refreshes as another process of the application would: in a session of its own."""
    return session().refresh_token(refresh_token=refresh_token)


def is_over(client):
    # The access token first: Authlib puts a new one in its place where it can.
    assert client.get(provider["userinfo_endpoint"]).status_code == 401
    try:
        client.refresh_token()
    except OAuthError as refused:
        assert refused.error == "invalid_grant", refused
    else:
        raise AssertionError("the session goes on")


# Sign in, and see who it is.
client, who = sign_in()
userinfo = client.get(provider["userinfo_endpoint"]).json()
assert (userinfo["sub"], userinfo["preferred_username"]) == (who["sub"], env["PERSON"])
assert userinfo["email"] == env["EMAIL"]

# Refresh, one after another.
for _ in range(5):
    before = client.token["refresh_token"]
    token = client.refresh_token()
    assert token["refresh_token"] != before
    assert claims(token)["sub"] == who["sub"]

# Eight at once with one token: all get the same successor, and nobody is signed out.
with ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(refreshed, [client.token["refresh_token"]] * 8))
assert len({answer["refresh_token"] for answer in answers}) == 1
client.token = answers[0]
client.refresh_token()
assert client.get(provider["userinfo_endpoint"]).ok

# Revoke.
answer = client.revoke_token(
    provider["revocation_endpoint"], client.token["refresh_token"], token_type_hint="refresh_token"
)
assert answer.ok
is_over(client)

# Sign in again, and out.
client, _ = sign_in()
end = requests.Request(
    "GET",
    provider["end_session_endpoint"],
    params={
        "id_token_hint": client.token["id_token"],
        "post_logout_redirect_uri": env["POST_LOGOUT_REDIRECT_URI"],
    },
)
assert person.go_to(end.prepare().url) == env["POST_LOGOUT_REDIRECT_URI"]
is_over(client)

# A service acts for itself, and asks whether tokens are good.
service = OAuth2Session(
    env["SERVICE_ID"],
    env["SERVICE_SECRET"],
    token_endpoint_auth_method="client_secret_post",
    revocation_endpoint_auth_method="client_secret_post",
)
own = service.fetch_token(
    provider["token_endpoint"], grant_type="client_credentials", scope="read", resource=env["API"]
)
told = service.introspect_token(provider["introspection_endpoint"], own["access_token"]).json()
assert (told["active"], told["client_id"]) == (True, env["SERVICE_ID"])
assert service.revoke_token(provider["revocation_endpoint"], own["access_token"]).ok
told = service.introspect_token(provider["introspection_endpoint"], own["access_token"]).json()
assert told == {"active": False}
