//! The ceremonies with an authenticator in software, honest and otherwise.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://login.example:8443/tenants/a";
const ORIGIN: &str = "https://login.example:8443";
const USER: Uuid = Uuid::from_u128(0x0190_a0a0_0000_7000_8000_0000_0000_0001);

/// User present, user verified, backup eligible, backed up (section 6.1).
const UP: u8 = 0x01;
const UV: u8 = 0x04;
const BE: u8 = 0x08;
const BS: u8 = 0x10;
/// There is a key in the data.
const AT: u8 = 0x40;

fn passkeys() -> Passkeys {
    Passkeys::new(ISSUER, "Shop").unwrap().unwrap()
}

/// An authenticator, with the browser that it is in.
struct Authenticator {
    key: EcdsaKeyPair,
    id: [u8; 16],
    user: Option<Vec<u8>>,
    flags: u8,
    counter: u32,
    origin: String,
    rp_id: String,
    cross_origin: bool,
    top_origin: Option<String>,
}

impl Authenticator {
    fn new() -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: crate::entropy::bytes(),
            user: None,
            flags: UP | UV,
            counter: 0,
            origin: ORIGIN.to_owned(),
            rp_id: "login.example".to_owned(),
            cross_origin: false,
            top_origin: None,
        }
    }

    /// `navigator.credentials.create()`.
    fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        self.user = Some(decode(&options["user"]["id"]));
        let mut data = self.data(self.flags | AT);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(self.id);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": …} in CBOR.
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": {
                "attestationObject": encode(&object),
                "clientDataJSON": encode(&self.client_data("webauthn.create", &options)),
                "transports": ["internal", "hybrid", "smart-card"],
            },
        })
        .to_string()
    }

    /// `navigator.credentials.get()`.
    fn get(&self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let data = self.data(self.flags);
        let client_data = self.client_data("webauthn.get", &options);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let mut answer = json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "authenticatorData": encode(&data),
                "clientDataJSON": encode(&client_data),
                "signature": encode(signature.as_ref()),
            },
        });
        if let Some(user) = &self.user {
            answer["response"]["userHandle"] = encode(user).into();
        }
        answer.to_string()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let rp = digest(&SHA256, self.rp_id.as_bytes());
        [rp.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let mut data = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": self.cross_origin,
        });
        if let Some(top) = &self.top_origin {
            data["topOrigin"] = top.as_str().into();
        }
        data.to_string().into_bytes()
    }

    /// {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y} in CBOR.
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), x, b"\x22\x58\x20", y].concat()
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn register(authenticator: &mut Authenticator) -> Result<String, PasskeyError> {
    let (options, state) = passkeys().start_registration(USER, "ana", &[])?;
    passkeys().finish_registration(&authenticator.create(&options), &state)
}

/// Signs in as a known user.
fn prove(authenticator: &Authenticator, stored: &[String]) -> Result<Used, PasskeyError> {
    let (options, state) = passkeys().start_authentication(stored)?;
    passkeys().finish_authentication(&authenticator.get(&options), &state, stored)
}

/// Signs in without a username.
fn prove_alone(authenticator: &Authenticator, stored: &[String]) -> Result<Used, PasskeyError> {
    let (options, state) = passkeys().start_discoverable()?;
    passkeys().finish_discoverable(&authenticator.get(&options), &state, stored)
}

#[test]
fn a_passkey_is_registered_and_signs_in() {
    let mut authenticator = Authenticator::new();
    let stored = [register(&mut authenticator).unwrap()];
    let used = Used { index: 0, updated: None, user_verified: true };
    assert_eq!(prove(&authenticator, &stored), Ok(used.clone()));
    assert_eq!(prove_alone(&authenticator, &stored), Ok(used.clone()));

    let (options, _) = passkeys().start_discoverable().unwrap();
    assert_eq!(passkeys().identify(&authenticator.get(&options)), Some(USER));
    // A security key without room for the user's name.
    authenticator.user = None;
    assert_eq!(passkeys().identify(&authenticator.get(&options)), None);
    assert_eq!(prove(&authenticator, &stored), Ok(used));
}

#[test]
fn options_are_in_the_form_that_browsers_read() {
    let mut authenticator = Authenticator::new();
    let stored = [register(&mut authenticator).unwrap()];
    let (options, state) = passkeys().start_registration(USER, "ana", &stored).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["rp"], json!({"id": "login.example", "name": "Shop"}));
    assert_eq!(decode(&options["user"]["id"]), USER.as_bytes());
    assert_eq!(decode(&options["challenge"]).len(), 32);
    assert!(state.contains(options["challenge"].as_str().unwrap()));
    assert_eq!(decode(&options["excludeCredentials"][0]["id"]), authenticator.id);
    assert_eq!(options["attestation"], "none");
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(selection["residentKey"], "preferred");
    assert_eq!(selection["requireResidentKey"], false);

    let (options, _) = passkeys().start_authentication(&stored).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["rpId"], "login.example");
    assert_eq!(decode(&options["allowCredentials"][0]["id"]), authenticator.id);

    let (options, _) = passkeys().start_discoverable().unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["allowCredentials"], json!([]));
}

#[test]
fn what_an_authenticator_may_not_do_when_it_registers() {
    let refused = |change: fn(&mut Authenticator)| {
        let mut authenticator = Authenticator::new();
        change(&mut authenticator);
        register(&mut authenticator).unwrap_err()
    };
    assert_eq!(refused(|a| a.flags = UP), PasskeyError::Unverified);
    assert_eq!(refused(|a| a.flags = UV), PasskeyError::Unverified);
    assert_eq!(refused(|a| a.origin = "https://evil.example".to_owned()), PasskeyError::Origin);
    assert_eq!(refused(|a| a.origin = "https://login.example".to_owned()), PasskeyError::Origin, "port");
    assert_eq!(refused(|a| a.origin = "https://x.login.example:8443".to_owned()), PasskeyError::Origin);
    assert_eq!(refused(|a| a.origin = "http://login.example:8443".to_owned()), PasskeyError::Origin);
    assert_eq!(refused(|a| a.rp_id = "example".to_owned()), PasskeyError::Origin);
    assert_eq!(refused(|a| a.cross_origin = true), PasskeyError::Origin);
    assert_eq!(refused(|a| a.flags = UP | UV | BS), PasskeyError::Other, "backed up, and cannot be");
}

#[test]
fn an_authenticator_is_registered_once_by_a_user() {
    let mut authenticator = Authenticator::new();
    let stored = [register(&mut authenticator).unwrap()];
    let (options, state) = passkeys().start_registration(USER, "ana", &stored).unwrap();
    let again = passkeys().finish_registration(&authenticator.create(&options), &state);
    assert_eq!(again, Err(PasskeyError::Registered));
}

#[test]
fn what_an_authenticator_may_not_do_when_it_signs_in() {
    let mut honest = Authenticator::new();
    let stored = [register(&mut honest).unwrap()];
    let refused = |change: fn(&mut Authenticator), why| {
        let mut changed = Authenticator { id: honest.id, user: honest.user.clone(), ..Authenticator::new() };
        changed.key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            honest.key.to_pkcs8v1().unwrap().as_ref(),
        )
        .unwrap();
        assert!(prove(&changed, &stored).is_ok());
        change(&mut changed);
        assert_eq!(prove(&changed, &stored), Err(why));
        assert_eq!(prove_alone(&changed, &stored), Err(why));
    };
    refused(|a| a.flags = UP, PasskeyError::Unverified);
    refused(|a| a.flags = UV, PasskeyError::Unverified);
    refused(|a| a.origin = "https://evil.example".to_owned(), PasskeyError::Origin);
    refused(|a| a.rp_id = "evil.example".to_owned(), PasskeyError::Origin);
    refused(|a| a.cross_origin = true, PasskeyError::Origin);
    refused(|a| a.top_origin = Some("https://evil.example".to_owned()), PasskeyError::Origin);
    refused(|a| a.id = [7; 16], PasskeyError::Unknown);
    refused(|a| a.key = Authenticator::new().key, PasskeyError::Signature);
}

#[test]
fn an_answer_is_to_its_own_challenge() {
    let mut authenticator = Authenticator::new();
    let stored = [register(&mut authenticator).unwrap()];
    let (options, _) = passkeys().start_authentication(&stored).unwrap();
    let (_, other) = passkeys().start_authentication(&stored).unwrap();
    let answer = authenticator.get(&options);
    let refused = passkeys().finish_authentication(&answer, &other, &stored);
    assert_eq!(refused, Err(PasskeyError::Challenge));

    let (_, other) = passkeys().start_discoverable().unwrap();
    let refused = passkeys().finish_discoverable(&answer, &other, &stored);
    assert_eq!(refused, Err(PasskeyError::Challenge));

    // Nor is the answer of one kind of ceremony an answer in another.
    let (_, registration) = passkeys().start_registration(USER, "ana", &[]).unwrap();
    assert_eq!(passkeys().finish_registration(&answer, &registration), Err(PasskeyError::Malformed));
    let refused = passkeys().finish_authentication(&answer, &registration, &stored);
    assert_eq!(refused, Err(PasskeyError::State));
}

#[test]
fn a_counter_goes_up() {
    let mut authenticator = Authenticator::new();
    authenticator.counter = 5;
    let first = register(&mut authenticator).unwrap();
    authenticator.counter = 6;
    let used = prove(&authenticator, std::slice::from_ref(&first)).unwrap();
    let second = used.updated.unwrap();
    assert_ne!(first, second);
    assert_eq!(prove(&authenticator, std::slice::from_ref(&second)), Err(PasskeyError::Copied));
    authenticator.counter = 7;
    let third = prove_alone(&authenticator, &[second]).unwrap().updated.unwrap();
    authenticator.counter = 0;
    assert_eq!(prove_alone(&authenticator, &[third]), Err(PasskeyError::Copied));
}

#[test]
fn a_passkey_that_moves_into_a_cloud_is_noted() {
    let mut authenticator = Authenticator::new();
    authenticator.flags = UP | UV | BE;
    let stored = [register(&mut authenticator).unwrap()];
    authenticator.flags = UP | UV | BE | BS;
    let updated = prove(&authenticator, &stored).unwrap().updated.unwrap();
    assert_eq!(prove_alone(&authenticator, &[updated]).unwrap().updated, None);
}

#[test]
fn the_users_passkeys_now_are_what_counts() {
    let mut first = Authenticator::new();
    let mut second = Authenticator::new();
    let stored = ["damaged".to_owned(), register(&mut first).unwrap(), register(&mut second).unwrap()];
    assert_eq!(prove(&second, &stored).unwrap().index, 2);
    assert_eq!(prove_alone(&first, &stored).unwrap().index, 1);

    // Removed while the ceremony was under way.
    let (options, state) = passkeys().start_authentication(&stored).unwrap();
    let answer = second.get(&options);
    let refused = passkeys().finish_authentication(&answer, &state, &stored[..2]);
    assert_eq!(refused, Err(PasskeyError::Unknown));
    // Added while it was: it was not asked for.
    let (options, state) = passkeys().start_authentication(&stored[..2]).unwrap();
    let answer = second.get(&options);
    let refused = passkeys().finish_authentication(&answer, &state, &stored);
    assert_eq!(refused, Err(PasskeyError::Unknown));
    assert_eq!(passkeys().start_authentication(&stored[..1]).unwrap_err(), PasskeyError::State);
}

#[test]
fn what_is_no_answer_is_refused_and_not_repeated() {
    let mut authenticator = Authenticator::new();
    let stored = [register(&mut authenticator).unwrap()];
    let (options, state) = passkeys().start_authentication(&stored).unwrap();
    let good = authenticator.get(&options);
    for bad in ["", "{}", "null", "[]", &good[1..], &good.replace("signature", "sign"), &"[".repeat(10_000)] {
        let error = passkeys().finish_authentication(bad, &state, &stored).unwrap_err();
        assert_eq!(error, PasskeyError::Malformed, "{bad}");
        assert_eq!(passkeys().identify(bad), None);
        assert_eq!(passkeys().finish_registration(bad, &state), Err(PasskeyError::State));
    }
    for (name, junk) in [("authenticatorData", "AAAA"), ("signature", "AAAA"), ("clientDataJSON", "e30")] {
        let mut answer: Value = serde_json::from_str(&good).unwrap();
        answer["response"][name] = junk.into();
        assert!(passkeys().finish_authentication(&answer.to_string(), &state, &stored).is_err(), "{name}");
    }
    assert!(passkeys().finish_authentication(&good, &state, &stored).is_ok());
}

#[test]
fn passkeys_are_to_be_had_where_browsers_make_them() {
    let has = |issuer| Passkeys::new(issuer, "Shop").map(|passkeys| passkeys.is_some());
    for good in ["https://login.example", "http://localhost:8420", "http://app.localhost:8420/x"] {
        assert_eq!(has(good), Ok(true), "{good}");
    }
    for none in [
        "http://127.0.0.1:8420",
        "https://127.0.0.1",
        "https://[::1]:8420",
        "http://login.example",
        "http://localhost.evil.example",
    ] {
        assert_eq!(has(none), Ok(false), "{none}");
    }
    assert_eq!(has("login.example"), Err(PasskeyError::Issuer));
}
