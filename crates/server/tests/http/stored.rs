//! What is stored is not a credential (S13): whoever reads the whole database finds nothing that a
//! refresh token can be made of, also together with tokens that were spent.

use std::collections::HashSet;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::on_both;

/// The parts of a refresh token: what its MAC covers, the nonce at the end of that, and the MAC.
struct Parts {
    body: Vec<u8>,
    nonce: [u8; 16],
    mac: [u8; 16],
}

impl Parts {
    fn of(token: &str) -> Self {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("rft_").unwrap()).unwrap();
        let (body, mac) = bytes.split_at(39);
        Self { body: body.to_vec(), nonce: body[23..].try_into().unwrap(), mac: mac.try_into().unwrap() }
    }

    fn is_made_by(&self, key: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let data = [b"countersign refresh token\0".as_slice(), &self.body].concat();
        hmac::sign(&key, &data).as_ref()[..16] == self.mac
    }
}

/// All the bytes that a text can be meant to say: as it stands, and where it is hexadecimal or
/// base64.
fn readings(stored: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![stored.to_vec()];
    let words = stored.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte));
    for word in words.filter(|word| word.len() >= 22) {
        let digits: Vec<u8> =
            word.iter().filter_map(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8).collect();
        if digits.len() >= word.len() - 1 {
            // Odd where an `x` stands before it, which was left out, and otherwise by chance.
            for from in [0, 1] {
                all.push(digits[from..].chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect());
            }
        }
        for from in 0..4 {
            let mut part = word[from..].to_vec();
            part.resize(part.len().next_multiple_of(4), b'A');
            all.extend(URL_SAFE_NO_PAD.decode(&part).or_else(|_| STANDARD.decode(&part)));
        }
    }
    all
}

/// What in these bytes makes the token: its nonce, or its key.
fn found(stored: &[u8], hash: &[u8], token: &Parts) -> Option<&'static str> {
    let mut keys = HashSet::new();
    for bytes in readings(stored) {
        for window in bytes.windows(16) {
            if digest::digest(&digest::SHA256, window).as_ref() == hash {
                return Some("the nonce");
            }
        }
        keys.extend(bytes.windows(32).map(<[u8]>::to_vec));
    }
    keys.iter().any(|key| token.is_made_by(key)).then_some("the key")
}

on_both!(what_is_stored_makes_no_token, |server| {
    let pair = server.alice().await;
    let spent = server.refresh("app", &pair.refresh).await.assert_ok();
    let live = server.refresh("app", &spent.str("refresh_token")).await.assert_ok().str("refresh_token");
    let token = Parts::of(&live);
    let standing = server.standing(&pair.sid).await;
    let hash = standing.session.nonce_hash;
    assert_eq!(digest::digest(&digest::SHA256, &token.nonce).as_ref(), hash, "the store has its hash");

    let stored = server.stored();
    assert!(stored.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000, "nothing was stored");
    for (place, bytes) in &stored {
        assert_eq!(found(bytes, &hash, &token), None, "{place}");
    }
    // Whoever has a spent token has the nonce, and nothing that makes the next MAC.
    let mut forged = Parts::of(&spent.str("refresh_token"));
    assert_eq!(forged.nonce, token.nonce);
    forged.body[22] += 1;
    assert_eq!(forged.body, token.body);
    let forged = [forged.body, forged.mac.to_vec()].concat();
    let forged = format!("rft_{}", URL_SAFE_NO_PAD.encode(forged));
    server.refresh("app", &forged).await.assert_error(400, "invalid_grant");
    server.refresh("app", &live).await.assert_ok();
});

#[test]
fn a_nonce_and_a_key_are_found_however_they_are_written() {
    let (nonce, key) = ([0xA7; 16], [0x5C; 32]);
    let hash = digest::digest(&digest::SHA256, &nonce);
    let mut token = Parts { body: [vec![1; 23], nonce.to_vec()].concat(), nonce, mac: [0; 16] };
    let data = [b"countersign refresh token\0".as_slice(), &token.body].concat();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data);
    token.mac = mac.as_ref()[..16].try_into().unwrap();
    for (what, secret) in [("the nonce", nonce.as_slice()), ("the key", &key)] {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let in_base64 = STANDARD.encode([b"abcd", secret].concat());
        for text in [secret.to_vec(), format!("\\\\x{hex}\n").into_bytes(), in_base64.into_bytes()] {
            let stored = [b"a row\t".as_slice(), &text, b"\tand more"].concat();
            assert_eq!(
                found(&stored, hash.as_ref(), &token),
                Some(what),
                "{}",
                String::from_utf8_lossy(&stored)
            );
        }
    }
    assert_eq!(found(b"a row of something else, longer than a key is", hash.as_ref(), &token), None);
}
