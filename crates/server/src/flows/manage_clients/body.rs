//! What an operator says of a client. A member that is absent stays as it is; one that is `null`
//! goes back to its default (RFC 7396).

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::store::{ClientKind, Rotation, TokenFormat};

/// A member that may be absent (`None`), `null` (`Some(None)`) or there.
pub type Maybe<T> = Option<Option<T>>;

macro_rules! client_body {
    ($(#[$about:meta])* $name:ident { $($(#[$own:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$own])* pub $member: $type,)*
            /// Exact redirect URIs: https, http on a loopback address, or a private-use scheme
            /// with a dot in it. At most 32 of 2,048 bytes.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<String>>)]
            pub redirect_uris: Maybe<Vec<String>>,
            /// What the client may be granted: scope tokens separated by spaces.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub scope: Maybe<String>,
            /// Whom its access tokens are for: absolute URIs or plain names, at most 16.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<String>>)]
            pub audience: Maybe<Vec<String>>,
            /// The form of its access tokens; `jwt` when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<TokenFormat>)]
            pub token_format: Maybe<String>,
            /// `ES256`, `EdDSA` or `RS256`; the server's when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub signing_alg: Maybe<String>,
            /// The only tenant whose users it serves; all when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub tenant: Maybe<String>,
            /// What a refresh does to the refresh token; `rotate` when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Rotation>)]
            pub rotation: Maybe<String>,
            /// For how many seconds a spent refresh token is answered again; at most 600.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<u64>)]
            pub overlap_seconds: Maybe<u64>,
            /// Lifetimes that differ from the kind's, in seconds.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<LifetimeFields>)]
            pub lifetimes: Maybe<LifetimeFields>,
            /// Permits access tokens that live longer than an hour.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<bool>)]
            pub allow_long_access_tokens: Maybe<bool>,
            /// The audiences whose tokens it may introspect; `*` is every one.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<String>>)]
            pub introspects: Maybe<Vec<String>>,
            /// Personal data to put into its access tokens: `username`, `email`.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<String>>)]
            pub extra_claims: Maybe<Vec<String>>,
            /// Its name as people know it, at most 64 characters; its id when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub name: Maybe<String>,
            /// It is the operator's own: nobody is asked for consent.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<bool>)]
            pub first_party: Maybe<bool>,
            /// Accepts authorization requests without PKCE that have a `nonce`: for confidential
            /// clients that cannot send it.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<bool>)]
            pub allow_missing_pkce: Maybe<bool>,
            /// With `allow_missing_pkce`: the `nonce` may be missing too. Nothing then protects the
            /// client against an injected code.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<bool>)]
            pub allow_missing_nonce: Maybe<bool>,
            /// Accepts authorization requests only when they were pushed.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<bool>)]
            pub require_pushed_requests: Maybe<bool>,
            /// `ES256`, `EdDSA` or `RS256`; the server's when none is given.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub id_token_alg: Maybe<String>,
            /// Where a person may be sent after signing out; as redirect URIs.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<Vec<String>>)]
            pub post_logout_redirect_uris: Maybe<Vec<String>>,
            /// Where to tell that a session has ended: https, or http on a loopback address.
            #[serde(default, deserialize_with = "present")]
            #[schema(value_type = Option<String>)]
            pub backchannel_logout_uri: Maybe<String>,
        }
    };
}

client_body! {
    /// What can be changed about a client.
    ClientFields {}
}

client_body! {
    /// A client to add.
    NewClient {
        /// Its id: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, not of a UUID's form.
        id: String,
        /// What it is, which decides its lifetimes.
        #[schema(value_type = ClientKind)]
        kind: String,
        /// True for a client that keeps no secret. `spa`, `native` and `cli` are public and `web`
        /// and `service` are not, unless this says otherwise.
        #[serde(default)]
        public: Option<bool>,
    }
}

impl NewClient {
    /// The id, the kind, whether it is public, and the rest.
    pub(super) fn split(self) -> (String, String, Option<bool>, ClientFields) {
        let Self {
            id,
            kind,
            public,
            redirect_uris,
            scope,
            audience,
            token_format,
            signing_alg,
            tenant,
            rotation,
            overlap_seconds,
            lifetimes,
            allow_long_access_tokens,
            introspects,
            extra_claims,
            name,
            first_party,
            allow_missing_pkce,
            allow_missing_nonce,
            require_pushed_requests,
            id_token_alg,
            post_logout_redirect_uris,
            backchannel_logout_uri,
        } = self;
        let fields = ClientFields {
            redirect_uris,
            scope,
            audience,
            token_format,
            signing_alg,
            tenant,
            rotation,
            overlap_seconds,
            lifetimes,
            allow_long_access_tokens,
            introspects,
            extra_claims,
            name,
            first_party,
            allow_missing_pkce,
            allow_missing_nonce,
            require_pushed_requests,
            id_token_alg,
            post_logout_redirect_uris,
            backchannel_logout_uri,
        };
        (id, kind, public, fields)
    }
}

/// Lifetimes in seconds; `null` goes back to the kind's own.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimeFields {
    /// Access tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub access: Maybe<u64>,
    /// A refresh token that is not used.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub idle: Maybe<u64>,
    /// A session, however often refreshed.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub absolute: Maybe<u64>,
    /// As `idle`, for remembered sessions.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub remember_idle: Maybe<u64>,
    /// As `absolute`, for remembered sessions.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub remember_absolute: Maybe<u64>,
}

fn present<'de, T, D>(deserializer: D) -> Result<Maybe<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_there_are_three_things() {
        let fields: ClientFields = serde_json::from_str(r#"{"scope":null,"tenant":"acme"}"#).unwrap();
        assert_eq!(fields.scope, Some(None));
        assert_eq!(fields.tenant, Some(Some("acme".to_owned())));
        assert_eq!(fields.audience, None);
    }

    #[test]
    fn unknown_members_are_refused_at_every_level() {
        assert!(serde_json::from_str::<ClientFields>(r#"{"scopes":"a"}"#).is_err());
        assert!(serde_json::from_str::<ClientFields>(r#"{"id":"a"}"#).is_err());
        assert!(serde_json::from_str::<ClientFields>(r#"{"lifetimes":{"acess":1}}"#).is_err());
    }
}
