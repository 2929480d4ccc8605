//! The real binary from outside, in directories and on ports of its own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/ask.rs"]
mod ask;
#[path = "../support/cluster.rs"]
#[expect(dead_code, reason = "these tests only use the database")]
mod cluster;

mod admin;
mod back_channel;
mod backup;
mod dev;
mod doctor;
mod gateway;
mod here;
mod profile_api;
mod program;
mod resource;
mod serving;
