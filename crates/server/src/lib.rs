//! Countersign: a token authority. The library behind the one binary.

pub mod config;
pub mod entropy;
pub mod keys;
pub mod store;
pub mod time;
