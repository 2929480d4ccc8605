//! Strings that must never be printed. Each kind is a type of its own: its `Debug` shows the kind
//! and the length only, it has no `Display`, it is wiped on drop, and `expose` is the one way in.

use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the string over; it is wiped when the value is dropped.
            pub fn new(value: String) -> Self {
                Self(Zeroizing::new(value))
            }

            /// The secret itself, for the place that sends, hashes or checks it.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }
    )*};
}

secret! {
    /// A refresh token as it travels: `rft_` and base64url.
    RefreshToken;
    /// An access token as it travels: a JWT, or `oat_` and base64url.
    AccessToken;
    /// The secret of a confidential client.
    ClientSecret;
    /// A password as a person typed it.
    Password;
    /// The bearer token of the management listener.
    AdminToken;
    /// An authorization code (RFC 6749 section 4.1.2).
    AuthorizationCode;
    /// A PKCE verifier (RFC 7636 section 4.1).
    CodeVerifier;
    /// A device code (RFC 8628 section 3.2).
    DeviceCode;
    /// What a person types on another device (RFC 8628 section 3.2).
    UserCode;
    /// The handle of a pushed authorization request (RFC 9126 section 2.2).
    RequestUri;
    /// An ID token (OpenID Connect Core section 2).
    IdToken;
    /// A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
    LogoutToken;
    /// The value of a browser's cookie, or of the handle of a sign-in that is under way.
    BrowserSecret;
    /// The value of an `Idempotency-Key` header: a retry proof, see the design's section 1.
    IdempotencyKey;
}

macro_rules! serialized_in_answers {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.expose())
            }
        }
    )*};
}

// Only what an answer hands out can be serialised.
serialized_in_answers!(RefreshToken, AccessToken, ClientSecret, IdToken, DeviceCode, UserCode, RequestUri);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let token = RefreshToken::new("rft_abcdefgh".to_owned());
        assert_eq!(format!("{token:?}"), "RefreshToken(12 bytes)");
    }
}
