//! HTTP: listeners, the layers that every request passes, and one file per endpoint.

mod account;
pub mod admin;
mod answer;
mod assets;
mod authorize;
pub mod body;
mod browser;
mod consent;
mod console;
mod decode;
pub mod demo;
mod device;
pub mod error;
mod feed;
pub mod form;
mod health;
mod introspect;
pub mod layers;
mod leaked;
mod lifetimes;
pub mod listen;
mod logout;
pub mod metadata;
mod par;
pub mod peer;
mod protected;
mod request;
mod revoke;
pub mod router;
pub mod shutdown;
mod sign_in;
mod status_list;
mod stream;
mod timeline;
mod token;
mod userinfo;
mod verify;

use std::sync::Arc;

use http::HeaderValue;

use crate::app::App;
use crate::config::{Limits, Network, Settings};
use crate::pages::{Accent, Brand, Chrome, Lang};

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
    /// How pages are reached.
    pub links: Links,
    /// How pages look.
    pub brand: Brand,
}

/// How this server's pages are reached, as browsers see it: from the issuer, never from a request.
#[derive(Debug, Clone)]
pub struct Links {
    /// What stands before each path: empty, unless the issuer has a path.
    pub base: String,
    /// The issuer's origin.
    pub origin: String,
    /// Whether browsers reach it by https.
    pub is_https: bool,
}

impl Links {
    /// For an issuer.
    pub fn new(issuer: &str) -> Self {
        let origin = issuer
            .split_once("://")
            .map(|(scheme, rest)| format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()))
            .unwrap_or_default();
        let base = issuer.strip_prefix(&origin).unwrap_or_default().to_owned();
        Self { base, is_https: origin.starts_with("https:"), origin }
    }

    /// The cookie of a browser session. The prefix has browsers hold it to this host, https and
    /// path `/`; they refuse it over plain http.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_https { "__Host-countersign" } else { "countersign" }
    }

    /// The cookie that forms and sign-ins are bound to.
    pub fn binding_cookie(&self) -> &'static str {
        if self.is_https { "__Host-countersign-form" } else { "countersign-form" }
    }
}

impl Public {
    /// What every page is made with.
    pub fn chrome(&self, lang: Lang, signed_in_as: Option<String>) -> Chrome {
        Chrome {
            lang,
            brand: self.brand.clone(),
            base: self.links.base.clone(),
            console_url: None,
            account_url: signed_in_as.is_some().then(|| format!("{}/account", self.links.base)),
            sign_out_url: signed_in_as.is_some().then(|| format!("{}/oauth/logout", self.links.base)),
            signed_in_as,
        }
    }

    /// For these settings.
    pub fn new(app: Arc<App>, settings: &Settings) -> Self {
        let max_age = format!("public, max-age={}", settings.jwks_max_age.as_secs());
        Self {
            app,
            limits: settings.limits,
            trusted_proxies: settings.trusted_proxies.clone(),
            jwks_cache_control: HeaderValue::from_str(&max_age)
                .unwrap_or_else(|_| HeaderValue::from_static("no-cache")),
            links: Links::new(&settings.issuer),
            brand: Brand {
                name: settings.brand.name.clone(),
                logo_url: settings.brand.logo.clone(),
                accent: settings.brand.accent.as_deref().and_then(Accent::parse),
                ..Brand::default()
            },
        }
    }
}
