//! Status lists (Token Status List, draft-ietf-oauth-status-list-20): the revocation of many tokens
//! as one bit each.

use serde::{Deserialize, Serialize};

/// The `typ` of a Status List Token (section 5.1).
pub const STATUS_LIST_TYPE: &str = "statuslist+jwt";
/// Its media type (section 8.2).
pub const STATUS_LIST_MEDIA_TYPE: &str = "application/statuslist+jwt";

/// The `status` claim of a token (section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where in which status list it is.
    pub status_list: StatusReference,
}

/// A token's place in a status list (section 6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReference {
    /// The number of its bit.
    pub idx: u32,
    /// The list, exactly as its `sub` has it.
    pub uri: String,
}

/// The claims of a Status List Token (section 5.1). Times are whole seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusListClaims {
    /// The issuer, exactly as configured.
    pub iss: String,
    /// The list's own address: the `uri` of the tokens in it.
    pub sub: String,
    /// When it was made.
    pub iat: u64,
    /// When it says nothing any more.
    pub exp: u64,
    /// For how many seconds a reader may keep it without asking again.
    pub ttl: u64,
    /// The list.
    pub status_list: StatusList,
}

/// A status list (section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusList {
    /// How many bits a token has: 1, which is 0 ("VALID") or 1 ("INVALID", section 7.1).
    pub bits: u8,
    /// The bits, from the lowest of the first byte on, compressed by zlib, in base64url.
    pub lst: String,
}
