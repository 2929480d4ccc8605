//! Real clients, unmodified, in the versions that are locked here: they sign a person in through
//! our pages, refresh one after another and many at once, revoke, and sign out.
//!
//! Each client has a file that reads as an example of its use, under `node/`, `python/` and
//! `rust/`. The clients come from their registries when their lock file has changed since the last
//! run: see `installed.rs`. What our pages look like in a browser is kept under
//! `target/tmp/clients/screenshots`; `tests/pages` has the tests of the pages themselves.
//!
//! Beside them stand the APIs that receive the tokens: those of the guides for Node and Python, run
//! as the guides have them.
//!
//! A version is raised by hand, and locked:
//!
//! - `node/package.json`, then `npm install --package-lock-only`;
//! - `python/requirements.in`, then the command in the first line of `requirements.txt`;
//! - `rust/Cargo.toml`, then `cargo update` there.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/ask.rs"]
mod ask;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "here the program is only asked for a user and some clients")]
mod program;

mod encrypted;
mod guides;
mod installed;
mod pretender;
mod stage;

use guides::Guide;
use installed::{node, python, rust};
use stage::meet;

#[test]
fn openid_client_signs_in_refreshes_revokes_and_signs_out() {
    meet(node("openid-client.mjs"));
}

#[test]
fn oauth4webapi_signs_in_refreshes_revokes_and_signs_out() {
    meet(node("oauth4webapi.mjs"));
}

#[test]
fn authlib_signs_in_refreshes_revokes_and_signs_out() {
    meet(python("with_authlib.py"));
}

#[test]
fn requests_oauth2client_signs_in_refreshes_revokes_and_signs_out() {
    meet(python("with_requests_oauth2client.py"));
}

#[test]
fn oidc_client_ts_signs_in_refreshes_in_two_tabs_revokes_and_signs_out() {
    meet(node("oidc-client-ts.mjs"));
}

#[test]
fn openidconnect_signs_in_refreshes_revokes_and_signs_out() {
    meet(rust("openidconnect"));
}

#[test]
fn huskarl_signs_in_refreshes_revokes_and_signs_out() {
    meet(rust("huskarl"));
}

#[test]
fn the_guide_for_node_refuses_what_it_must_and_hears_of_every_end() {
    guides::followed(Guide::Node);
}

#[test]
fn the_guide_for_node_lets_nothing_pass_that_it_cannot_decide() {
    pretender::endured(Guide::Node);
}

#[test]
fn the_guide_for_python_refuses_what_it_must_and_hears_of_every_end() {
    guides::followed(Guide::Python);
}

#[test]
fn the_guide_for_python_lets_nothing_pass_that_it_cannot_decide() {
    pretender::endured(Guide::Python);
}

#[test]
fn openid_client_signs_people_in_by_a_form_in_a_real_browser() {
    meet(node("openid-client-in-chromium.mjs"));
}
