//! As whom an API asks the issuer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_wire::ClientSecret;

use crate::remote::form_encoded;

/// A client's id and secret, with which this API asks the issuer.
#[derive(Debug, Clone)]
pub struct Credentials {
    id: String,
    secret: ClientSecret,
}

impl Credentials {
    /// As `countersign client add` printed them.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { id: client_id.into(), secret: ClientSecret::new(client_secret.into()) }
    }

    /// The value of `Authorization` (RFC 6749 section 2.3.1).
    pub(crate) fn basic(&self) -> String {
        let pair = format!("{}:{}", form_encoded(&self.id), form_encoded(self.secret.expose()));
        format!("Basic {}", STANDARD.encode(pair))
    }
}
