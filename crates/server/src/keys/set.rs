//! All keys at one moment, parsed: what a request works with.

use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use countersign_verify::{Rejection, VerifyingKeys, danger};
use countersign_wire::{AccessClaims, AccessToken, Algorithm, JwkSet, RefreshToken, SessionId};

use super::access::{self, IssueError, OpaqueTokenError};
use super::kek::KeyEncryptionKey;
use super::material::{self, Material, SigningKey};
use super::plan::in_order;
use super::refresh::{self, PresentedRefresh, RefreshNonce, RefreshTokenError, sha256};
use super::{KeysError, MAX_CURSOR};
use crate::store::{Context, KeyPurpose, KeyRecord};
use crate::time::Timestamp;

/// All keys, for one request or many. It never changes; [`super::Keys::snapshot`] gives the newest.
pub struct KeySet {
    records: Vec<KeyRecord>,
    es256: Ring<SigningKey>,
    eddsa: Ring<SigningKey>,
    rs256: Ring<SigningKey>,
    refresh: Ring<hmac::Key>,
    opaque: Ring<LessSafeKey>,
    internal: Ring<hmac::Key>,
    published: Published,
    verifying: VerifyingKeys,
}

/// The keys of a purpose in the order in which they make tokens. There is always one.
struct Ring<T>(Vec<Numbered<T>>);

struct Numbered<T> {
    number: u8,
    active_at: Timestamp,
    key: T,
}

/// The public key set as it is served.
struct Published {
    set: JwkSet,
    json: Bytes,
    etag: String,
}

impl KeySet {
    /// Opens stored keys; there must be one for each purpose.
    ///
    /// # Errors
    /// When the key-encryption key is not the one that sealed them, or one is missing or damaged.
    pub fn open(records: &[KeyRecord], kek: &KeyEncryptionKey) -> Result<Self, KeysError> {
        let es256 = signing_ring(records, kek, Algorithm::ES256)?;
        let eddsa = signing_ring(records, kek, Algorithm::EdDSA)?;
        let rs256 = signing_ring(records, kek, Algorithm::RS256)?;
        let mac = |purpose| {
            ring(records, kek, purpose, |material| match material {
                Material::Mac(key) => Some(key),
                Material::Signing(_) | Material::Seal(_) => None,
            })
        };
        let opaque = ring(records, kek, KeyPurpose::Opaque, |material| match material {
            Material::Seal(key) => Some(key),
            Material::Signing(_) | Material::Mac(_) => None,
        })?;
        let published = Published::new([&es256, &eddsa, &rs256])?;
        let verifying = VerifyingKeys::new(&published.set).map_err(|error| KeysError::Damaged(error.kid))?;
        Ok(Self {
            records: records.to_vec(),
            refresh: mac(KeyPurpose::Refresh)?,
            internal: mac(KeyPurpose::Internal)?,
            es256,
            eddsa,
            rs256,
            opaque,
            published,
            verifying,
        })
    }

    /// The stored keys, for listing.
    pub fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    /// The public keys.
    pub fn jwks(&self) -> &JwkSet {
        &self.published.set
    }

    /// The public keys as they are served.
    pub fn jwks_json(&self) -> Bytes {
        self.published.json.clone()
    }

    /// A strong entity tag of [`Self::jwks_json`], in its quotes (RFC 9110 section 8.8.3).
    pub fn jwks_etag(&self) -> &str {
        &self.published.etag
    }

    /// Makes a JWT (RFC 9068) with the newest active key of the algorithm.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn sign(
        &self,
        alg: Algorithm,
        claims: &AccessClaims,
        now: Timestamp,
    ) -> Result<AccessToken, IssueError> {
        let ring = match alg {
            Algorithm::ES256 => &self.es256,
            Algorithm::EdDSA => &self.eddsa,
            Algorithm::RS256 => &self.rs256,
        };
        access::sign(&ring.active(now)?.key, claims)
    }

    /// Opens a JWT of our own: signature, type and issuer are checked, audience and times are not.
    ///
    /// # Errors
    /// Why it is not ours.
    pub fn open_jwt(&self, token: &str, issuer: &str) -> Result<AccessClaims, Rejection> {
        danger::verify_signature_only(&self.verifying, token, issuer)
    }

    /// Makes an opaque access token.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn seal_opaque(&self, claims: &AccessClaims, now: Timestamp) -> Result<AccessToken, IssueError> {
        let key = self.opaque.active(now)?;
        access::seal(&key.key, key.number, claims)
    }

    /// Opens an opaque access token; times are not checked.
    ///
    /// # Errors
    /// Why it is not ours.
    pub fn open_opaque(&self, token: &str) -> Result<AccessClaims, OpaqueTokenError> {
        access::open(token, |number| self.opaque.numbered(number))
    }

    /// The number of the key that makes refresh tokens now.
    pub fn newest_refresh_key(&self, now: Timestamp) -> u8 {
        self.refresh.active(now).map_or(0, |key| key.number)
    }

    /// The refresh token of a session's generation, the same one each time. `None`: the key is
    /// not known.
    pub fn refresh_token(
        &self,
        key_number: u8,
        session: SessionId,
        generation: u32,
        nonce: &RefreshNonce,
    ) -> Option<RefreshToken> {
        let key = self.refresh.numbered(key_number)?;
        Some(refresh::seal(key, key_number, session, generation, nonce))
    }

    /// Opens a presented refresh token; nothing but its MAC is checked.
    ///
    /// # Errors
    /// Why it is not ours. On `UnknownKey` ask [`super::Keys::look_again`] before refusing it.
    pub fn open_refresh(&self, token: &str) -> Result<PresentedRefresh, RefreshTokenError> {
        refresh::open(token, |number| self.refresh.numbered(number))
    }

    /// Where a request came from, as hashes that stay comparable for ever: the oldest key makes
    /// them, and it is never replaced.
    pub fn context(&self, network: &str, agent: &str) -> Context {
        let hash = |domain: &[u8], text: &str| {
            let mac = self.internal_mac(&[domain, text.as_bytes()]);
            u32::from_be_bytes(mac.as_ref().first_chunk().copied().unwrap_or_default())
        };
        Context {
            network: hash(b"countersign network\0", network),
            agent: hash(b"countersign agent\0", agent),
        }
    }

    /// A place in a list, to be handed out and taken back: base64url( mac:16 | value ).
    pub fn seal_cursor(&self, list: &str, value: &str) -> String {
        let mac = self.cursor_mac(list, value);
        URL_SAFE_NO_PAD.encode([mac.as_slice(), value.as_bytes()].concat())
    }

    /// The place that a cursor of this list names; `None` when we did not make it.
    pub fn open_cursor(&self, list: &str, cursor: &str) -> Option<String> {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (mac, value) = bytes.split_first_chunk::<16>()?;
        let value = std::str::from_utf8(value).ok()?;
        constant_time::verify_slices_are_equal(mac, &self.cursor_mac(list, value)).ok()?;
        Some(value.to_owned())
    }

    fn cursor_mac(&self, list: &str, value: &str) -> [u8; 16] {
        let mac = self.internal_mac(&[b"countersign cursor\0", list.as_bytes(), b"\0", value.as_bytes()]);
        mac.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn internal_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A ring is never empty, so the default is never seen.
        let Some(oldest) = self.internal.0.first() else { return [0; 32] };
        let mut context = hmac::Context::with_key(&oldest.key);
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref().try_into().unwrap_or_default()
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.records.iter().map(|r| &r.id)).finish()
    }
}

impl<T> Ring<T> {
    /// The newest key that may make tokens now; the oldest, if the clock says that none may yet.
    fn active(&self, now: Timestamp) -> Result<&Numbered<T>, super::CryptoFailed> {
        let active = self.0.iter().rev().find(|key| key.active_at <= now);
        active.or(self.0.first()).ok_or(super::CryptoFailed)
    }

    fn numbered(&self, number: u8) -> Option<&T> {
        self.0.iter().find(|key| key.number == number).map(|key| &key.key)
    }
}

fn ring<T>(
    records: &[KeyRecord],
    kek: &KeyEncryptionKey,
    purpose: KeyPurpose,
    pick: impl Fn(Material) -> Option<T>,
) -> Result<Ring<T>, KeysError> {
    let mut keys = Vec::new();
    for record in in_order(records, purpose) {
        let key = pick(material::open(kek, record)?).ok_or_else(|| KeysError::Damaged(record.id.clone()))?;
        keys.push(Numbered { number: record.number, active_at: record.active_at, key });
    }
    if keys.is_empty() {
        return Err(KeysError::Missing(purpose));
    }
    Ok(Ring(keys))
}

fn signing_ring(
    records: &[KeyRecord],
    kek: &KeyEncryptionKey,
    algorithm: Algorithm,
) -> Result<Ring<SigningKey>, KeysError> {
    ring(records, kek, KeyPurpose::Signing(algorithm), |material| match material {
        Material::Signing(key) => Some(key),
        Material::Mac(_) | Material::Seal(_) => None,
    })
}

impl Published {
    fn new(rings: [&Ring<SigningKey>; 3]) -> Result<Self, KeysError> {
        let keys = rings.into_iter().flat_map(|ring| &ring.0).map(|key| key.key.jwk.clone()).collect();
        let set = JwkSet { keys };
        let json = serde_json::to_vec(&set).map_err(|_| KeysError::Crypto(super::CryptoFailed))?;
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&[&json])));
        Ok(Self { set, json: Bytes::from(json), etag })
    }
}
