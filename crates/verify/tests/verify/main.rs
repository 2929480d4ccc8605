//! The verifier against attackers and against a second library.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod checker;
mod differential;
mod encrypted;
mod envelope;
mod issuer;
mod jose;
mod revoked;
