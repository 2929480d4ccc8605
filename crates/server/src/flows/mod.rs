//! What the protocol decides: one file per flow, each with its `run` first and its pure judgement
//! below. Flows know the store and the keys, and nothing of HTTP.

pub mod access;
pub mod bearer;
pub mod client_credentials;
pub mod clients;
pub mod complaints;
pub mod explain;
pub mod introspect;
pub mod keys;
pub mod lifetimes;
pub mod manage_clients;
pub mod manage_sessions;
pub mod manage_users;
pub mod policy;
pub mod records;
pub mod refresh;
mod refusal;
pub mod revocation;
pub mod sessions;
mod tokens;

pub use crate::store::{Page, Reason, Target};
pub use refusal::{FlowError, FlowResult, Refusal};

/// Where a request came from, in words.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The network: an IPv4 /24 or an IPv6 /48.
    pub network: String,
    /// The user agent, shortened.
    pub agent: String,
}
