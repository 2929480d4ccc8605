//! The revocation feed: what an API that checks tokens by itself has to know.

use serde::{Deserialize, Serialize};

use crate::{AccessClaims, ClientId, SessionId};

/// The scope of an access token with which the feed may be read.
pub const REVOCATIONS_SCOPE: &str = "revocations";

/// What was revoked. Nothing is compared with a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revoked {
    /// One access token.
    Token {
        /// Its id.
        jti: String,
    },
    /// A session.
    Session {
        /// Its id.
        sid: SessionId,
    },
    /// All that a user has.
    User {
        /// The user's id.
        sub: String,
        /// Tokens with a lower stamp version are over.
        stv: u64,
    },
    /// All that a client had: tokens whose `rev` is lower than the entry's number.
    Client {
        /// The client's id.
        client_id: ClientId,
    },
    /// All that a tenant had, by `rev` as for a client.
    Tenant {
        /// The tenant.
        tenant: String,
    },
    /// Everything, by `rev` as for a client.
    Everything,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its number.
    pub n: u64,
    /// When the last access token that it concerns has expired, in seconds since 1970: then it can
    /// be forgotten.
    pub exp: u64,
    /// What was revoked.
    #[serde(flatten)]
    pub revoked: Revoked,
}

impl Revocation {
    /// Whether a token is over by this entry.
    pub fn ends(&self, claims: &AccessClaims) -> bool {
        let is_older = claims.rev < self.n;
        match &self.revoked {
            Revoked::Token { jti } => *jti == claims.jti,
            Revoked::Session { sid } => Some(*sid) == claims.sid,
            Revoked::User { sub, stv } => *sub == claims.sub && claims.stv.is_some_and(|known| known < *stv),
            Revoked::Client { client_id } => *client_id == claims.client_id && is_older,
            Revoked::Tenant { tenant } => Some(tenant) == claims.tenant.as_ref() && is_older,
            Revoked::Everything => is_older,
        }
    }
}

/// A piece of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// The cursor that it continues from. One that is not the reader's own is a gap: the reader
    /// begins again at its own.
    pub after: u64,
    /// Where it ends: to be sent as `after`.
    pub cursor: u64,
    /// Whether there is more already.
    pub more: bool,
    /// The entries between, in order. Those that concern no living token are left out.
    pub entries: Vec<Revocation>,
}

/// Nothing new, said so that the reader knows that it is not behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The log ends here.
    pub cursor: u64,
    /// How many milliseconds ago this was known for certain; it grows while the store is away.
    pub age_ms: u64,
}
