//! Limits that are not keys: nobody needs to choose them, but all are named and documented.

use std::time::Duration;

use countersign_wire::{ClientId, Parameters, Scope};

use super::{
    keys::{MAX_ABSOLUTE, MAX_ACCESS, MAX_IDLE},
    values::duration_text,
};

/// How long a peer may take no byte of an answer.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// Most header fields of a request; the HTTP library's own limit, which needs no allocation.
pub const MAX_HEADER_FIELDS: usize = 100;
/// Most hops that are followed through `X-Forwarded-For` or `Forwarded`.
pub const MAX_FORWARDED_HOPS: usize = 32;
/// Longest `x-request-id` that is taken over, in characters.
pub const MAX_REQUEST_ID_LEN: usize = 64;
/// How long stopping waits for the last spans to be sent.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What the reference shows.
pub(super) fn table() -> Vec<(&'static str, String)> {
    let time = |seconds| duration_text(Duration::from_secs(seconds));
    vec![
        ("Lifetime of an access token, without `allow_long_access_tokens`", time(MAX_ACCESS)),
        ("Idle lifetime of a refresh token", time(MAX_IDLE)),
        ("Lifetime of a session", time(MAX_ABSOLUTE)),
        ("Header fields of a request; beyond it 431", MAX_HEADER_FIELDS.to_string()),
        ("Time in which a peer takes no byte of an answer", duration_text(WRITE_STALL)),
        ("Parameters of a request", Parameters::MAX_COUNT.to_string()),
        ("Tokens of a scope", Scope::MAX_TOKENS.to_string()),
        ("Characters of a scope token", Scope::MAX_TOKEN_LEN.to_string()),
        ("Characters of a client id", ClientId::MAX_LEN.to_string()),
        ("Characters of an `x-request-id` that is taken over", MAX_REQUEST_ID_LEN.to_string()),
        ("Hops followed through forwarding headers", MAX_FORWARDED_HOPS.to_string()),
        ("Time for sending the last spans when the server stops", duration_text(FLUSH_TIMEOUT)),
    ]
}
