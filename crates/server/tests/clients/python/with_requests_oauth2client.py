"""requests_oauth2client: a desktop program, a device and a service."""

import os
from concurrent.futures import ThreadPoolExecutor

import requests
from person import Person
from requests_oauth2client import DeviceAuthorizationPollingJob, InvalidGrant, OAuth2Client, ResponseTypes

env = os.environ
scope = "openid profile email offline_access read"
person = Person(env["ISSUER"], env["PERSON"], env["PASSWORD"])
# What its discovery leaves out.
provider = requests.get(env["ISSUER"] + "/.well-known/openid-configuration").json()


def discovered(client_id, client_secret=None):
    return OAuth2Client.from_discovery_endpoint(
        issuer=env["ISSUER"],
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=env["REDIRECT_URI"],
        device_authorization_endpoint=provider["device_authorization_endpoint"],
        # It expects RS256 unless it is told what the server signs with.
        id_token_signed_response_alg="ES256",
        # The test's server listens on loopback without TLS. Leave this out everywhere else.
        testing=True,
    )


def sign_in(client, pushed):
    request = client.authorization_request(scope=scope)
    url = client.pushed_authorization_request(request).uri if pushed else request.uri
    # The ID token is checked too: its signature, and what the request asked for.
    return client.authorization_code(request.validate_callback(person.go_to(url)))


def is_over(client, tokens):
    answer = requests.get(client.userinfo_endpoint, auth=tokens)
    assert answer.status_code == 401, answer.text
    try:
        client.refresh_token(tokens)
    except InvalidGrant:
        return
    raise AssertionError("the session goes on")


# Sign in, and see who it is.
client = discovered(env["PUBLIC_ID"])
tokens = sign_in(client, pushed=False)
userinfo = client.userinfo(tokens)
assert (userinfo["sub"], userinfo["preferred_username"]) == (tokens.id_token.subject, env["PERSON"])
assert userinfo["email"] == env["EMAIL"]

# Refresh, one after another.
for _ in range(5):
    before, tokens = tokens, client.refresh_token(tokens)
    assert tokens.refresh_token != before.refresh_token

# Eight at once with one token: all get the same successor, and nobody is signed out.
with ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(client.refresh_token, [tokens] * 8))
assert len({answer.refresh_token for answer in answers}) == 1
tokens = client.refresh_token(answers[0])
assert client.userinfo(tokens)["sub"] == userinfo["sub"]

# Revoke.
assert client.revoke_refresh_token(tokens)
is_over(client, tokens)

# Sign in again, by a pushed request, and out.
tokens = sign_in(client, pushed=True)
end = requests.Request(
    "GET",
    provider["end_session_endpoint"],
    params={
        "id_token_hint": str(tokens.id_token),
        "post_logout_redirect_uri": env["POST_LOGOUT_REDIRECT_URI"],
    },
)
assert person.go_to(end.prepare().url) == env["POST_LOGOUT_REDIRECT_URI"]
is_over(client, tokens)

# A device without a keyboard, while the person decides elsewhere.
device = discovered(env["DEVICE_ID"])
codes = device.authorize_device(scope=scope)
job = DeviceAuthorizationPollingJob(device, codes)
person.go_to(codes.verification_uri_complete)
tokens = job()
assert device.userinfo(tokens)["sub"] == userinfo["sub"]

# A service acts for itself, and asks whether tokens are good.
service = discovered(env["SERVICE_ID"], env["SERVICE_SECRET"])
own = service.client_credentials(scope="read", resource=env["API"])
told = service.introspect_token(own)
assert (told["active"], told["client_id"]) == (True, env["SERVICE_ID"])
assert service.revoke_access_token(own)
assert service.introspect_token(own)["active"] is False
