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
serialized_in_answers!(RefreshToken, AccessToken, ClientSecret);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let token = RefreshToken::new("rft_abcdefgh".to_owned());
        assert_eq!(format!("{token:?}"), "RefreshToken(12 bytes)");
    }
}
