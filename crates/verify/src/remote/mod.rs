//! The issuer over the network: its metadata, its keys, and whatever else is asked of it.

mod http;
mod keys;
mod metadata;
mod pace;

pub(crate) use self::http::Http;
#[cfg(feature = "feed")]
pub(crate) use self::http::answer;
#[cfg(any(feature = "feed", feature = "introspect"))]
pub(crate) use self::http::form_encoded;
pub(crate) use self::keys::{Keys, Recipe, Refreshed};
pub(crate) use self::metadata::Metadata;
pub(crate) use self::pace::Pace;

/// Why something could not be had of the issuer. None of it holds any of a token or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not a URL that secrets and keys may travel by.
    #[error("{0}: an address must be https, or http on a loopback address")]
    Address(String),
    /// No connection, no trustworthy one, or none in time.
    #[error("{url}: {problem}")]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// It answered, and not as it must.
    #[error("{url} {problem}")]
    Answer {
        /// Where.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
}
