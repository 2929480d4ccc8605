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
mod checker;
mod compact;
pub mod danger;
mod header;
mod keys;
mod payload;
mod refusal;
mod rejection;
mod requirement;
mod revoked;
mod verifier;

pub use bearer::bearer_token;
pub use checker::{Checker, Verified};
/// The words that this crate's own items are made of.
pub use countersign_wire as wire;
pub use keys::{InvalidKey, VerifyingKeys};
pub use refusal::{Challenge, Refusal, Undecided};
pub use rejection::Rejection;
pub use requirement::{Denial, Requirement};
pub use revoked::RevokedSet;
pub use verifier::{InvalidVerifier, Verifier};

/// The `typ` of an access token (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
