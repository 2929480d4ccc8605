//! What each fuzz target does with its bytes. A body panics when something is wrong; bytes that
//! are refused are right. libFuzzer's targets and the ordinary test of the corpus call the same.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a fuzz target says what is wrong by panicking"
)]

mod browser;
mod gateway;
mod management;
mod parsers;
mod server;
mod tokens;

/// A target: its name, which is also its corpus' directory, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 21] = [
    ("form", parsers::form),
    ("json", parsers::json),
    ("percent", parsers::percent),
    ("scope", parsers::scope),
    ("ids", parsers::ids),
    ("forwarded", parsers::forwarded),
    ("request_id", parsers::request_id),
    ("settings", parsers::settings),
    ("backup", parsers::backup),
    ("refresh_token", tokens::refresh),
    ("opaque_token", tokens::opaque),
    ("jwt", tokens::jwt),
    ("feed", tokens::feed),
    ("endpoint", server::endpoint),
    ("page", server::page),
    ("authorization", browser::authorization),
    ("redirect", browser::redirect),
    ("passkey", browser::passkey),
    ("jwk", tokens::jwk),
    ("management", management::management),
    ("gateway", gateway::gateway),
];

/// The body of a target by its name.
///
/// # Panics
/// When there is no such target.
pub fn body(name: &str) -> fn(&[u8]) {
    TARGETS.iter().find(|(known, _)| *known == name).expect("a target of the list").1
}
