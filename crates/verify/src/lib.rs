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

mod compact;
pub mod danger;
mod encrypted;
mod header;
mod keys;
mod payload;
mod rejection;
mod verifier;

pub use encrypted::DecryptionKey;
pub use keys::{InvalidKey, VerifyingKeys};
pub use rejection::Rejection;
pub use verifier::{InvalidVerifier, Verifier};

/// The `typ` of an access token (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
