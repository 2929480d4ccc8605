//! HTTP: listeners, the layers that every request passes, and one file per endpoint.

pub mod admin;
pub mod body;
pub mod demo;
pub mod error;
pub mod form;
mod health;
mod introspect;
pub mod layers;
mod leaked;
mod lifetimes;
pub mod listen;
pub mod metadata;
pub mod peer;
mod request;
mod revoke;
pub mod router;
pub mod shutdown;
mod stream;
mod token;

use std::sync::Arc;

use http::HeaderValue;

use crate::app::App;
use crate::config::{Limits, Network, Settings};

/// What the public endpoints know.
pub struct Public {
    /// The application.
    pub app: Arc<App>,
    /// Limits on bodies.
    pub limits: Limits,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// How long the key set may be kept.
    pub jwks_cache_control: HeaderValue,
}

impl Public {
    /// For these settings.
    pub fn new(app: Arc<App>, settings: &Settings) -> Self {
        let max_age = format!("public, max-age={}", settings.jwks_max_age.as_secs());
        Self {
            app,
            limits: settings.limits,
            trusted_proxies: settings.trusted_proxies.clone(),
            jwks_cache_control: HeaderValue::from_str(&max_age)
                .unwrap_or_else(|_| HeaderValue::from_static("no-cache")),
        }
    }
}
