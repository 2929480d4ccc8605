//! ID tokens (OpenID Connect Core section 2): what a client is told of who signed in. What it is
//! told of the person is at userinfo.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{AccessToken, Algorithm, IdClaims, IdToken};

use super::{FlowError, FlowResult};
use crate::app::App;
use crate::store::{Client, Session};
use crate::time::Timestamp;

/// The scope that asks for an ID token.
pub const OPENID: &str = "openid";
/// How long an ID token can be taken as news of a sign-in, in seconds.
const LIFETIME: u64 = 600;

/// The ID token that goes with a token answer. The `nonce` is of the authorization request; after
/// a refresh there is none (section 12.2).
///
/// # Errors
/// Only when no key can make it, which is a bug.
pub fn mint(
    app: &App,
    client: &Client,
    session: &Session,
    nonce: Option<String>,
    access_token: &AccessToken,
    now: Timestamp,
) -> FlowResult<IdToken> {
    let algorithm = algorithm(app, client);
    let claims = IdClaims {
        iss: app.policy.issuer.clone(),
        sub: session.user.to_string(),
        aud: client.id.to_string(),
        exp: now.seconds() + LIFETIME,
        iat: now.seconds(),
        auth_time: session.auth_time.seconds(),
        sid: session.id,
        nonce,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        at_hash: Some(half_hash(algorithm, access_token)),
    };
    app.keys.snapshot().sign_id_token(algorithm, &claims, now).map_err(|error| {
        tracing::error!(%error, "an ID token could not be made");
        FlowError::Internal("an ID token could not be made")
    })
}

/// What a client's ID tokens and logout tokens are signed with.
pub(super) fn algorithm(app: &App, client: &Client) -> Algorithm {
    client.settings.sign_in.id_token_alg.unwrap_or(app.policy.signing_algorithm)
}

/// Section 3.1.3.6: the left half of the hash that belongs to the signature's algorithm; Ed25519's
/// is SHA-512 (RFC 8032 section 5.1).
fn half_hash(algorithm: Algorithm, token: &AccessToken) -> String {
    let hash = match algorithm {
        Algorithm::ES256 | Algorithm::RS256 => digest(&SHA256, token.expose().as_bytes()),
        Algorithm::EdDSA => digest(&SHA512, token.expose().as_bytes()),
    };
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standards_example() {
        // OpenID Connect Core, appendix A.3.
        let token = AccessToken::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y".to_owned());
        assert_eq!(half_hash(Algorithm::RS256, &token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(Algorithm::EdDSA, &token).len(), 43);
    }
}
