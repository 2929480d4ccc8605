//! Countersign: a token authority. The library behind the one binary.

pub mod app;
pub mod backup;
pub mod cli;
pub mod config;
pub mod entropy;
pub mod factors;
pub mod flows;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod outbound;
pub mod pages;
pub mod passwords;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod throttle;
pub mod time;
