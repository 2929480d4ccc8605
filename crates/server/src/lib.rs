//! Countersign: a token authority. The library behind the one binary.

pub mod entropy;
pub mod store;
pub mod time;
