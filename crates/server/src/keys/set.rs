//! All keys at one moment, parsed: what a request works with.

use std::sync::Arc;

use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use countersign_verify::{Rejection, TokenCache, VerifyingKeys, danger};
use countersign_wire::{
    AccessClaims, AccessToken, Algorithm, IdClaims, IdToken, JwkSet, LogoutClaims, LogoutToken, RefreshToken,
    STATUS_LIST_TYPE, SessionId, StatusListClaims,
};

use super::access::{self, IssueError, OpaqueTokenError};
use super::kek::KeyEncryptionKey;
use super::material::{self, Material, SigningKey};
use super::plan::in_order;
use super::refresh::{self, PresentedRefresh, RefreshNonce, RefreshTokenError, sha256};
use super::{CryptoFailed, KeysError, MAX_CURSOR, secrets};
use crate::store::{Context, KeyPurpose, KeyRecord};
use crate::time::Timestamp;
use zeroize::Zeroizing;

/// The `typ` of an ID token: never an access token's, nor a logout token's (RFC 8725 section 3.11).
const ID_TOKEN_TYPE: &str = "JWT";

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
    /// Access tokens that these keys have opened.
    opened: TokenCache<Arc<AccessClaims>>,
}

/// Why a text is no access token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOurs {
    /// It names a key that is not known: one that another node made a moment ago, perhaps.
    UnknownKey,
    /// It was not made by us.
    Foreign,
}

/// Most access tokens that are remembered as opened: some 16 MiB.
const REMEMBERED: usize = 16 * 1024;

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
            opened: TokenCache::new(REMEMBERED),
        })
    }

    /// Since when the key in use of each algorithm signs.
    pub fn signing_since(&self, now: Timestamp) -> impl Iterator<Item = (Algorithm, Timestamp)> {
        [(Algorithm::ES256, &self.es256), (Algorithm::EdDSA, &self.eddsa), (Algorithm::RS256, &self.rs256)]
            .into_iter()
            .filter_map(move |(algorithm, ring)| Some((algorithm, ring.active(now).ok()?.active_at)))
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
        access::sign(&self.signing(alg).active(now)?.key, claims)
    }

    /// Makes an ID token (OpenID Connect Core section 2).
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn sign_id_token(
        &self,
        alg: Algorithm,
        claims: &IdClaims,
        now: Timestamp,
    ) -> Result<IdToken, IssueError> {
        access::sign_other(&self.signing(alg).active(now)?.key, ID_TOKEN_TYPE, claims).map(IdToken::new)
    }

    /// Opens an ID token of our own; neither audience nor times are checked. `None`: it is not ours.
    pub fn open_id_token(&self, token: &str, issuer: &str) -> Option<IdClaims> {
        let payload = danger::signed_payload(&self.verifying, token, ID_TOKEN_TYPE).ok()?;
        let claims: IdClaims = serde_json::from_slice(&payload).ok()?;
        (claims.iss == issuer).then_some(claims)
    }

    /// Makes a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn sign_logout_token(
        &self,
        alg: Algorithm,
        claims: &LogoutClaims,
        now: Timestamp,
    ) -> Result<LogoutToken, IssueError> {
        access::sign_other(&self.signing(alg).active(now)?.key, "logout+jwt", claims).map(LogoutToken::new)
    }

    /// Makes a Status List Token (draft-ietf-oauth-status-list-20 section 5.1). It is for everybody to
    /// read.
    ///
    /// # Errors
    /// Only the cryptography library's.
    pub fn sign_status_list(
        &self,
        alg: Algorithm,
        claims: &StatusListClaims,
        now: Timestamp,
    ) -> Result<String, CryptoFailed> {
        access::sign_of_any_length(&self.signing(alg).active(now)?.key, STATUS_LIST_TYPE, claims)
    }

    fn signing(&self, alg: Algorithm) -> &Ring<SigningKey> {
        match alg {
            Algorithm::ES256 => &self.es256,
            Algorithm::EdDSA => &self.eddsa,
            Algorithm::RS256 => &self.rs256,
        }
    }

    /// Opens an access token of our own, of either format; times and audience are not checked. What was
    /// opened lately is not opened again: gateways ask about the same token with every request.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn open_access(&self, token: &str, issuer: &str) -> Result<Arc<AccessClaims>, NotOurs> {
        self.opened.get_or_find(token, || match self.open_opaque(token) {
            Ok(claims) if claims.iss == issuer => Ok(Arc::new(claims)),
            Ok(_) => Err(NotOurs::Foreign),
            Err(OpaqueTokenError::UnknownKey) => Err(NotOurs::UnknownKey),
            Err(_) => match self.open_jwt(token, issuer) {
                Ok(claims) => Ok(Arc::new(claims)),
                Err(Rejection::UnknownKey) => Err(NotOurs::UnknownKey),
                Err(_) => Err(NotOurs::Foreign),
            },
        })
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

    /// Seals a small secret of a user for the store. It can be opened for ever: the key that it is
    /// sealed with comes from the oldest internal key, which is never replaced. `None` when the
    /// cryptography library fails.
    pub fn seal_secret(&self, purpose: &str, owner: &str, secret: &[u8]) -> Option<String> {
        secrets::seal(&self.sealing_key(), purpose, owner, secret)
    }

    /// Opens what [`Self::seal_secret`] sealed for the same purpose and owner.
    pub fn open_secret(&self, purpose: &str, owner: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        secrets::open(&self.sealing_key(), purpose, owner, sealed)
    }

    /// Of the internal key by its MAC as a key derivation (NIST SP 800-108: a PRF over a label that
    /// nothing else is made under).
    fn sealing_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.internal_mac(&[secrets::KEY_DOMAIN]))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_verify::Verifier;
    use countersign_wire::Audience;

    use super::super::testing::{kek, key_set, records};
    use super::*;

    const ISSUER: &str = "https://login.example";
    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn claims() -> AccessClaims {
        AccessClaims {
            iss: ISSUER.to_owned(),
            sub: "0190a0a0-0000-7000-8000-000000000001".to_owned(),
            aud: Audience::One("https://api.example".to_owned()),
            exp: NOW.seconds() + 600,
            iat: NOW.seconds(),
            nbf: None,
            jti: "j".to_owned(),
            client_id: "web".parse().unwrap(),
            scope: "read write".parse().unwrap(),
            rev: 7,
            sid: Some("0190a0a0-0000-7000-8000-000000000002".parse().unwrap()),
            stv: Some(2),
            tenant: None,
            auth_time: Some(5),
            acr: None,
            amr: vec!["pwd".to_owned()],
            roles: vec!["admin \u{e9}\"".to_owned()],
            username: None,
            email: None,
            status: None,
        }
    }

    #[test]
    fn what_is_signed_is_what_two_libraries_read() {
        let set = key_set();
        let verifier = Verifier::new(ISSUER, "https://api.example", set.jwks().clone()).unwrap();
        for alg in Algorithm::ALL {
            let token = set.sign(alg, &claims(), NOW).unwrap();
            assert_eq!(verifier.verify(token.expose(), NOW.seconds()).unwrap(), claims());
            assert_eq!(set.open_jwt(token.expose(), ISSUER).unwrap(), claims());
            assert_eq!(set.open_jwt(token.expose(), "https://other.example"), Err(Rejection::Issuer));

            let header = jsonwebtoken::decode_header(token.expose()).unwrap();
            assert_eq!(header.typ.as_deref(), Some("at+jwt"));
            let jwk = set.jwks().keys.iter().find(|k| Some(&k.kid) == header.kid.as_ref()).unwrap();
            assert_eq!(jwk.alg, alg);
            let jwk: jsonwebtoken::jwk::Jwk =
                serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
            let mut validation = jsonwebtoken::Validation::new(header.alg);
            validation.validate_exp = false;
            validation.set_audience(&["https://api.example"]);
            let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
            let read = jsonwebtoken::decode::<AccessClaims>(token.expose(), &key, &validation).unwrap();
            assert_eq!(read.claims, claims());
        }
    }

    #[test]
    fn only_public_members_are_published() {
        let set = key_set();
        let json: serde_json::Value = serde_json::from_slice(&set.jwks_json()).unwrap();
        assert_eq!(json["keys"].as_array().unwrap().len(), 3);
        for key in json["keys"].as_array().unwrap() {
            for (name, _) in key.as_object().unwrap() {
                let public = ["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"];
                assert!(public.contains(&name.as_str()), "{name}");
            }
        }
        assert!(set.jwks_etag().starts_with('"') && set.jwks_etag().ends_with('"'));
        assert_eq!(set.jwks_etag(), KeySet::open(records(), &kek()).unwrap().jwks_etag());
    }

    #[test]
    fn an_opaque_token_opens_whole_or_not_at_all() {
        let set = key_set();
        let token = set.seal_opaque(&claims(), NOW).unwrap();
        let text = token.expose();
        assert_eq!(set.open_opaque(text).unwrap(), claims());
        assert_ne!(text, set.seal_opaque(&claims(), NOW).unwrap().expose());
        assert!(!text.contains("read"));
        for at in 0..text.len() {
            assert!(set.open_opaque(&text[..at]).is_err());
            let mut edited = text.as_bytes().to_vec();
            edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
            assert!(set.open_opaque(std::str::from_utf8(&edited).unwrap()).is_err(), "{at}");
        }
        for extended in [format!("{text}A"), format!("{text}AAAA"), format!("{text}="), format!("{text} ")] {
            assert!(set.open_opaque(&extended).is_err());
        }
        use OpaqueTokenError as Error;
        assert_eq!(set.open_opaque("rft_AAAA"), Err(Error::NotAnOpaqueToken));
        assert_eq!(set.open_opaque("oat_"), Err(Error::Malformed));
        assert_eq!(set.open_opaque(&format!("oat_{}", "A".repeat(1 << 20))), Err(Error::Malformed));
        let unknown = URL_SAFE_NO_PAD.encode([&[1, 77], [0; 40].as_slice()].concat());
        assert_eq!(set.open_opaque(&format!("oat_{unknown}")), Err(Error::UnknownKey));
    }

    #[test]
    fn a_token_that_nobody_would_look_at_is_not_made() {
        let mut claims = claims();
        claims.roles = vec!["r".repeat(100); 90];
        assert_eq!(key_set().sign(Algorithm::ES256, &claims, NOW).unwrap_err(), IssueError::TooLong);
        assert_eq!(key_set().seal_opaque(&claims, NOW).unwrap_err(), IssueError::TooLong);
    }

    #[test]
    fn the_newest_active_key_makes_tokens_and_the_older_still_opens_them() {
        let active_at = NOW.plus(Duration::from_secs(60));
        let mut records = records().to_vec();
        for purpose in [KeyPurpose::Refresh, KeyPurpose::Opaque, KeyPurpose::Signing(Algorithm::EdDSA)] {
            records.push(material::generate(&kek(), purpose, 2, NOW, active_at).unwrap());
        }
        let set = KeySet::open(&records, &kek()).unwrap();
        assert_eq!(set.jwks().keys.len(), 4);
        assert_ne!(set.jwks_etag(), key_set().jwks_etag());
        let before = active_at.minus(Duration::from_millis(1));
        assert_eq!((set.newest_refresh_key(before), set.newest_refresh_key(active_at)), (1, 2));
        // A clock from before all keys still gets one.
        assert_eq!(set.newest_refresh_key(Timestamp(-1)), 1);

        for now in [before, active_at] {
            let jwt = set.sign(Algorithm::EdDSA, &claims(), now).unwrap();
            let opaque = set.seal_opaque(&claims(), now).unwrap();
            assert!(set.open_jwt(jwt.expose(), ISSUER).is_ok());
            assert!(set.open_opaque(opaque.expose()).is_ok());
            // The node that has not looked yet.
            let old = key_set();
            let new_key = now == active_at;
            let unknown = old.open_jwt(jwt.expose(), ISSUER) == Err(Rejection::UnknownKey);
            assert_eq!(unknown, new_key);
            let unknown = old.open_opaque(opaque.expose()) == Err(OpaqueTokenError::UnknownKey);
            assert_eq!(unknown, new_key);
        }
        let session = claims().sid.unwrap();
        let nonce = RefreshNonce::random();
        let token = |number| set.refresh_token(number, session, 5, &nonce);
        assert!(token(3).is_none());
        assert_ne!(token(1).unwrap().expose(), token(2).unwrap().expose());
        for number in [1, 2] {
            let presented = set.open_refresh(token(number).unwrap().expose()).unwrap();
            assert_eq!((presented.session, presented.generation, presented.key_number), (session, 5, number));
        }
    }

    #[test]
    fn contexts_tell_places_apart_and_stay_comparable() {
        let context = key_set().context("192.0.2.0/24", "browser");
        assert_eq!(context, KeySet::open(records(), &kek()).unwrap().context("192.0.2.0/24", "browser"));
        let other = key_set().context("198.51.100.0/24", "browser");
        assert_ne!(context.network, other.network);
        assert_eq!(context.agent, other.agent);
        assert_ne!(key_set().context("x", "x").network, key_set().context("x", "x").agent);
    }

    #[test]
    fn a_cursor_is_good_for_its_list_only() {
        let set = key_set();
        let cursor = set.seal_cursor("sessions", "a value");
        assert_eq!(set.open_cursor("sessions", &cursor).as_deref(), Some("a value"));
        assert_eq!(set.open_cursor("users", &cursor), None);
        assert_eq!(set.open_cursor("sessions", ""), None);
        assert_eq!(set.open_cursor("sessions", &"A".repeat(MAX_CURSOR + 1)), None);
        let edited = cursor.replacen(&cursor[..1], if cursor.starts_with('A') { "B" } else { "A" }, 1);
        assert_eq!(set.open_cursor("sessions", &edited), None);
        assert_eq!(set.open_cursor("sessions", &format!("{cursor}AA")), None);
    }

    #[test]
    fn a_secret_is_opened_for_ever_and_by_this_installation_only() {
        let sealed = key_set().seal_secret("totp", "ana", b"12345678901234567890").unwrap();
        let internal = |at| {
            let number = if at == Timestamp(0) { 1 } else { 2 };
            material::generate(&kek(), KeyPurpose::Internal, number, at, at).unwrap()
        };
        // Even if another were made: what is sealed then, an older node opens too.
        let later = KeySet::open(&[records(), &[internal(NOW)]].concat(), &kek()).unwrap();
        let opened = later.open_secret("totp", "ana", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"12345678901234567890");
        let sealed_later = later.seal_secret("totp", "ana", b"x").unwrap();
        assert_eq!(key_set().open_secret("totp", "ana", &sealed_later).unwrap().as_slice(), b"x");

        let others: Vec<_> =
            records().iter().filter(|r| r.purpose != KeyPurpose::Internal).cloned().collect();
        let other = KeySet::open(&[others, vec![internal(Timestamp(0))]].concat(), &kek()).unwrap();
        assert_eq!(other.open_secret("totp", "ana", &sealed), None);
    }

    #[test]
    fn a_missing_purpose_is_named() {
        let records: Vec<_> = records().iter().filter(|r| r.purpose != KeyPurpose::Opaque).cloned().collect();
        let Err(KeysError::Missing(KeyPurpose::Opaque)) = KeySet::open(&records, &kek()) else { panic!() };
    }

    #[test]
    fn debug_shows_ids_only() {
        let shown = format!("{:?}", key_set());
        for record in records() {
            assert!(shown.contains(&record.id));
        }
        assert!(!shown.contains("sealed"));
    }
}
