//! What the protocol decides: one file per flow, each with its `run` first and its pure judgement
//! below. Flows know the store and the keys, and nothing of HTTP.

pub mod access;
pub mod account;
pub mod authorize;
pub mod bearer;
pub mod browser;
pub mod client_credentials;
pub mod clients;
pub mod codes;
pub mod complaints;
pub mod device;
pub mod enrol;
pub mod explain;
pub mod feed;
pub mod id_tokens;
pub mod introspect;
pub mod keys;
pub mod lifetimes;
pub mod logout;
pub mod logout_notices;
pub mod manage_clients;
pub mod manage_resources;
pub mod manage_sessions;
pub mod manage_users;
pub mod operator;
mod pkce;
pub mod places;
pub mod policy;
pub mod pushed;
pub mod records;
pub mod redirect;
pub mod refresh;
mod refusal;
pub mod resources;
pub mod revocation;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod status_lists;
mod tickets;
mod tokens;
mod user_code;
pub mod userinfo;

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
