//! Checks Countersign access tokens (RFC 9068) locally, for resource servers.
//!
//! ```
//! # fn example(keys: countersign_wire::JwkSet, bearer: &str, now_seconds: u64) -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_verify::Verifier;
//!
//! let verifier = Verifier::new("https://login.example", "https://api.example", keys)?;
//! match verifier.verify(bearer, now_seconds) {
//!     Ok(claims) => println!("hello {}", claims.sub),
//!     Err(rejection) => println!("401, {}", rejection.www_authenticate()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Which algorithms are good is decided by the keys that the verifier was given, each of which is
//! for one algorithm, and never by the token (RFC 8725 section 3.1).

mod bearer;
mod cache;
mod checker;
#[cfg(any(feature = "feed", feature = "tower"))]
mod clock;
mod compact;
pub mod danger;
mod encrypted;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "fetch")]
mod guard;
mod header;
#[cfg(feature = "introspect")]
mod introspect;
mod keys;
mod payload;
mod refusal;
mod rejection;
#[cfg(feature = "fetch")]
mod remote;
mod requirement;
mod resource;
mod revoked;
#[cfg(feature = "tower")]
mod tower;
mod verifier;

pub use bearer::bearer_token;
pub use cache::TokenCache;
pub use checker::{Checker, Verified};
/// The words that this crate's own items are made of.
pub use countersign_wire as wire;
pub use encrypted::DecryptionKey;
#[cfg(feature = "feed")]
pub use feed::{FeedReader, FeedStatus, FeedStep, FeedViolation};
#[cfg(any(feature = "feed", feature = "introspect"))]
pub use guard::Credentials;
#[cfg(feature = "feed")]
pub use guard::WhenBehind;
#[cfg(feature = "fetch")]
pub use guard::{Guard, GuardBuilder, Status};
pub use keys::{InvalidKey, VerifyingKeys};
pub use refusal::{Challenge, Refusal, Undecided};
pub use rejection::Rejection;
#[cfg(feature = "fetch")]
pub use remote::RemoteError;
pub use requirement::{Denial, Requirement};
pub use resource::ResourceMetadata;
pub use revoked::RevokedSet;
#[cfg(feature = "tower")]
pub use tower::{GuardLayer, GuardService, NoGuard};
pub use verifier::{InvalidVerifier, Verifier};

/// The `typ` of an access token (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
