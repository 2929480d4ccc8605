//! The public endpoints from outside, on both engines.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod access_tokens;
mod account;
mod admin;
mod attack_browser;
mod attack_codes;
mod attack_guessing;
mod attack_list;
mod attack_rotation;
mod attack_secrets;
mod attack_wire;
mod attacks;
mod authorization_code;
mod bad_input;
mod bad_input_pages;
mod browser;
mod client_authentication;
mod conformance;
mod console;
mod device_flow;
mod encrypted;
mod endings_scene;
mod endings_sessions;
mod endings_table;
mod feed;
mod introspection;
mod logout;
mod metadata;
mod new_sign_ins;
mod openid;
mod outage;
mod par;
mod refresh;
mod relying;
mod revocation;
mod second_factor;
mod sign_in;
mod status_lists;
mod step_up;
mod stored;
mod verify;
