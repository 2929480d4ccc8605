//! Countersign: a token authority. The library behind the one binary.

pub mod config;
pub mod entropy;
pub mod http;
pub mod metrics;
pub mod store;
pub mod telemetry;
pub mod time;
