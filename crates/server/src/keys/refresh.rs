//! Refresh tokens (the design's section 1):
//!
//! `rft_` + base64url( version:1 | cell:1 | key:1 | session:16 | generation:4 | nonce:16 | mac:16 )

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{IdempotencyKey, RefreshToken, SessionId};
use zeroize::Zeroizing;

use crate::entropy;

const PREFIX: &str = "rft_";
const VERSION: u8 = 1;
/// The shard that holds the session: there is one today.
const CELL: u8 = 0;
const NONCE_LEN: usize = 16;
const MAC_LEN: usize = 16;
/// What the MAC covers: all that stands before it.
const BODY_LEN: usize = 3 + 16 + 4 + NONCE_LEN;
const TOKEN_LEN: usize = BODY_LEN + MAC_LEN;
/// Characters of base64url for [`TOKEN_LEN`] bytes.
const ENCODED_LEN: usize = (TOKEN_LEN * 4).div_ceil(3);
const MAC_DOMAIN: &[u8] = b"countersign refresh token\0";
const RETRY_DOMAIN: &[u8] = b"countersign retry proof\0";

/// The random part of a session's refresh tokens, fixed for its life. The store has its hash only.
#[derive(Clone)]
pub struct RefreshNonce(Zeroizing<[u8; NONCE_LEN]>);

impl RefreshNonce {
    /// A new one.
    pub fn random() -> Self {
        Self(Zeroizing::new(entropy::bytes()))
    }

    /// SHA-256: what the store has. The nonce is random, so a plain hash is enough.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[self.0.as_slice()])
    }
}

impl std::fmt::Debug for RefreshNonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshNonce")
    }
}

/// What a refresh token with a good MAC says.
#[derive(Debug, Clone)]
pub struct PresentedRefresh {
    /// Of which session.
    pub session: SessionId,
    /// Its generation.
    pub generation: u32,
    /// The session's nonce.
    pub nonce: RefreshNonce,
    /// The key that made it.
    pub key_number: u8,
}

/// Why a text is not one of our refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshTokenError {
    /// No `rft_`.
    #[error("this is not a refresh token of this server")]
    NotARefreshToken,
    /// Three parts and dots.
    #[error("this is a JWT, such as an access token, and not a refresh token")]
    LooksLikeJwt,
    /// `oat_`.
    #[error("this is an access token and not a refresh token")]
    LooksLikeOpaqueAccess,
    /// Of the wrong length, characters or version: cut off, extended or damaged on the way.
    #[error("the refresh token is damaged: it must be sent exactly as it was received")]
    Malformed,
    /// Made with a key that is not known: removed, or made on another node a moment ago.
    #[error("the refresh token was made with a key that is not known")]
    UnknownKey,
    /// Not made by this server, or changed.
    #[error("the refresh token was not made by this server, or was changed")]
    BadMac,
}

/// Makes the token of a session's generation: always the same one.
pub(super) fn seal(
    key: &hmac::Key,
    key_number: u8,
    session: SessionId,
    generation: u32,
    nonce: &RefreshNonce,
) -> RefreshToken {
    let mut body = Zeroizing::new([0; BODY_LEN]);
    let parts: [&[u8]; 4] =
        [&[VERSION, CELL, key_number], session.0.as_bytes(), &generation.to_be_bytes(), nonce.0.as_slice()];
    let bytes = parts.into_iter().flatten();
    body.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    let mut token = Zeroizing::new([0; TOKEN_LEN]);
    let mac = mac(key, &body);
    token.iter_mut().zip(body.iter().chain(&mac)).for_each(|(place, byte)| *place = *byte);

    let mut text = String::with_capacity(PREFIX.len() + ENCODED_LEN);
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(token.as_slice(), &mut text);
    RefreshToken::new(text)
}

/// Opens a token with the key that it names.
pub(super) fn open<'k>(
    token: &str,
    key: impl FnOnce(u8) -> Option<&'k hmac::Key>,
) -> Result<PresentedRefresh, RefreshTokenError> {
    use RefreshTokenError as Error;
    let Some(encoded) = token.strip_prefix(PREFIX) else {
        return Err(match token {
            t if t.starts_with(super::access::OPAQUE_PREFIX) => Error::LooksLikeOpaqueAccess,
            t if t.starts_with("eyJ") && t.contains('.') => Error::LooksLikeJwt,
            _ => Error::NotARefreshToken,
        });
    };
    if encoded.len() != ENCODED_LEN {
        return Err(Error::Malformed);
    }
    // The decoder takes the one canonical form only: no padding, white space or bits left over.
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Error::Malformed)?;
    let bytes = Zeroizing::new(bytes);
    let (body, presented_mac) = bytes.split_first_chunk::<BODY_LEN>().ok_or(Error::Malformed)?;
    let [version, cell, key_number, rest @ ..] = body;
    if *version != VERSION || *cell != CELL {
        return Err(Error::Malformed);
    }
    let key = key(*key_number).ok_or(Error::UnknownKey)?;
    constant_time::verify_slices_are_equal(&mac(key, body), presented_mac).map_err(|_| Error::BadMac)?;

    let (session, rest) = rest.split_first_chunk::<16>().ok_or(Error::Malformed)?;
    let (generation, rest) = rest.split_first_chunk::<4>().ok_or(Error::Malformed)?;
    let (nonce, _) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Malformed)?;
    Ok(PresentedRefresh {
        session: SessionId(uuid::Uuid::from_bytes(*session)),
        generation: u32::from_be_bytes(*generation),
        nonce: RefreshNonce(Zeroizing::new(*nonce)),
        key_number: *key_number,
    })
}

/// The hash of an `Idempotency-Key` that a session's row keeps.
pub fn retry_hash(session: SessionId, key: &IdempotencyKey) -> [u8; 16] {
    let hash = sha256(&[RETRY_DOMAIN, session.0.as_bytes(), key.expose().as_bytes()]);
    hash.first_chunk().copied().unwrap_or_default()
}

fn mac(key: &hmac::Key, body: &[u8; BODY_LEN]) -> [u8; MAC_LEN] {
    let mut context = hmac::Context::with_key(key);
    context.update(MAC_DOMAIN);
    context.update(body);
    context.sign().as_ref().first_chunk().copied().unwrap_or_default()
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn opened(token: &str) -> Result<PresentedRefresh, RefreshTokenError> {
        let key = key(1);
        open(token, |number| (number == 9).then_some(&key))
    }

    fn session() -> SessionId {
        SessionId(uuid::Uuid::from_u128(0x0190_a0a0_0000_7000_8000_0000_0000_0001))
    }

    fn a_token() -> String {
        let nonce = RefreshNonce(Zeroizing::new([7; NONCE_LEN]));
        seal(&key(1), 9, session(), 3, &nonce).expose().to_owned()
    }

    #[test]
    fn the_layout_is_the_designs() {
        let token = a_token();
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("rft_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 55);
        assert_eq!(bytes[..3], [1, 0, 9]);
        assert_eq!(bytes[3..19], *session().0.as_bytes());
        assert_eq!(bytes[19..23], [0, 0, 0, 3]);
        assert_eq!(bytes[23..39], [7; 16]);
        let mac = hmac::sign(&key(1), &[MAC_DOMAIN, &bytes[..39]].concat());
        assert_eq!(bytes[39..], mac.as_ref()[..16]);
        assert_eq!(token, a_token(), "the same generation is the same token");
    }

    #[test]
    fn a_token_opens_to_what_it_was_made_of() {
        let presented = opened(&a_token()).unwrap();
        assert_eq!((presented.session, presented.generation, presented.key_number), (session(), 3, 9));
        assert_eq!(presented.nonce.hash(), sha256(&[&[7; 16]]));
        assert_eq!(format!("{:?}", presented.nonce), "RefreshNonce");
    }

    #[test]
    fn each_wrong_thing_has_its_name() {
        use RefreshTokenError as Error;
        let token = a_token();
        let error = |text: &str| opened(text).unwrap_err();
        assert_eq!(error(""), Error::NotARefreshToken);
        assert_eq!(error("hello"), Error::NotARefreshToken);
        assert_eq!(error(&token.replace("rft_", "RFT_")), Error::NotARefreshToken);
        assert_eq!(error(&format!(" {token}")), Error::NotARefreshToken);
        assert_eq!(error("oat_AQEB"), Error::LooksLikeOpaqueAccess);
        assert_eq!(error("eyJhbGciOiJFUzI1NiJ9.e30.AAAA"), Error::LooksLikeJwt);
        for broken in
            [&token[..token.len() - 1], &format!("{token}A"), &format!("{token}="), &format!("{token} ")]
        {
            assert_eq!(error(broken), Error::Malformed, "{broken}");
        }
        assert_eq!(error("rft_"), Error::Malformed);
        assert_eq!(error(&format!("rft_{}", "A".repeat(1 << 20))), Error::Malformed);
        assert_eq!(error(&seal_with(|b| b[0] = 2)), Error::Malformed);
        assert_eq!(error(&seal_with(|b| b[1] = 1)), Error::Malformed);
        assert_eq!(error(&seal_with(|b| b[2] = 8)), Error::UnknownKey);
        assert_eq!(error(&seal_with(|b| b[22] = 4)), Error::BadMac);
        let foreign = seal(&key(2), 9, session(), 3, &RefreshNonce::random());
        assert_eq!(error(foreign.expose()), Error::BadMac);
    }

    /// A token changed after it was made.
    fn seal_with(change: impl FnOnce(&mut [u8])) -> String {
        let mut bytes = URL_SAFE_NO_PAD.decode(&a_token()[4..]).unwrap();
        change(&mut bytes);
        format!("rft_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn no_two_texts_are_the_same_token() {
        let token = a_token();
        for at in 0..token.len() {
            for byte in 0..128 {
                let mut edited = token.clone().into_bytes();
                if edited[at] != byte {
                    edited[at] = byte;
                    assert!(opened(std::str::from_utf8(&edited).unwrap()).is_err(), "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_retry_hash_is_of_its_session() {
        let key = |text: &str| IdempotencyKey::new(text.to_owned());
        let other = SessionId(uuid::Uuid::from_u128(1));
        assert_eq!(retry_hash(session(), &key("a")), retry_hash(session(), &key("a")));
        assert_ne!(retry_hash(session(), &key("a")), retry_hash(session(), &key("b")));
        assert_ne!(retry_hash(session(), &key("a")), retry_hash(other, &key("a")));
    }

    proptest! {
        #[test]
        fn any_session_and_generation_come_back(id: u128, generation: u32, nonce: [u8; 16]) {
            let session = SessionId(uuid::Uuid::from_u128(id));
            let nonce = RefreshNonce(Zeroizing::new(nonce));
            let token = seal(&key(1), 9, session, generation, &nonce);
            let presented = opened(token.expose()).unwrap();
            prop_assert_eq!((presented.session, presented.generation), (session, generation));
            prop_assert_eq!(presented.nonce.hash(), nonce.hash());
        }

        #[test]
        fn no_text_opens(text in ".{0,100}", encoded in "rft_[A-Za-z0-9_-]{74}") {
            prop_assert!(opened(&text).is_err());
            prop_assert!(opened(&encoded).is_err());
        }
    }
}
