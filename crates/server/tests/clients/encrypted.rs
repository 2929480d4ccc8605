//! Encrypted access tokens and a second implementation: jose opens ours, and we open jose's.

use countersign_verify::{DecryptionKey, Verifier};
use serde_json::{Value, json};

use crate::installed::node;
use crate::program::Server;
use crate::stage::Stage;

const API: &str = "https://api.example";

#[test]
fn jose_opens_our_encrypted_tokens_and_we_open_those_of_jose() {
    let mut stage = Stage::new(Server::start);
    // Bob's key of RFC 7518 appendix C.
    let mut key = json!({
        "kty": "EC", "crv": "P-256", "kid": "api-1",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    });
    let register = ["resource", "add", API, "--encryption-key", "-"];
    stage.place.run_with(&register, &key.to_string()).assert_ok();
    let client = stage.place.json(&[
        "client",
        "add",
        "sealed",
        "--kind",
        "service",
        "--scope",
        "read",
        "--audience",
        API,
        "--token-format",
        "encrypted",
    ]);
    key["d"] = json!("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let file = stage.place.path("sealed.json");
    stage.environment.extend([
        ("PRIVATE_JWK", key.to_string()),
        ("SEALED_ID", "sealed".to_owned()),
        ("SEALED_SECRET", client["client_secret"].as_str().unwrap().to_owned()),
        ("SEALED_FILE", file.to_str().unwrap().to_owned()),
    ]);
    stage.run(&mut node("encrypted.mjs"));

    let sealed: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let issuer = stage.environment.iter().find(|(name, _)| *name == "ISSUER").unwrap().1.clone();
    let keys = serde_json::from_value(sealed["keys"].clone()).unwrap();
    let verifier = Verifier::new(issuer, API, keys)
        .unwrap()
        .with_decryption_key(DecryptionKey::from_jwk(&key.to_string()).unwrap())
        .unwrap()
        .require_encrypted();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = verifier.verify(sealed["token"].as_str().unwrap(), now).unwrap();
    assert_eq!(claims.client_id.as_str(), "sealed");
}
