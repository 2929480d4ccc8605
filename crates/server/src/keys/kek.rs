//! The key-encryption key: what makes a stolen database useless. It is never in the database.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::CryptoFailed;
use crate::entropy;
use crate::store::KeyPurpose;

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The text is not a key.
    #[error(
        "a key-encryption key is 32 bytes, written as 64 hexadecimal digits or in base64: make one with `openssl rand -hex 32`"
    )]
    Text,
    /// The file's text is not a key.
    #[error(
        "{0} does not hold a key-encryption key (32 bytes, written as 64 hexadecimal digits or in base64): put the right file back; if this server never ran, remove the file and start again"
    )]
    File(PathBuf),
    /// Others than the owner can read the file.
    #[error("{0} can be used by others than its owner: run `chmod 600 {0}`")]
    Permissions(PathBuf),
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
}

/// Seals private keys before they are stored.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; Self::LEN]>);

impl KeyEncryptionKey {
    /// Its length in bytes.
    pub const LEN: usize = 32;
    /// Longest text of a key, with white space around it, in bytes.
    const MAX_TEXT: usize = 256;
    /// The form of a sealed key: version, nonce, ciphertext with tag.
    const VERSION: u8 = 1;

    /// The key of its bytes.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The key of 64 hexadecimal digits, or of base64 in either alphabet.
    ///
    /// # Errors
    /// When the text is not 32 bytes; the text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, KekError> {
        let text = text.trim();
        from_hex(text).or_else(|| from_base64(text)).map(Self).ok_or(KekError::Text)
    }

    /// The key of a file that only its owner can use.
    ///
    /// # Errors
    /// When the file is missing, open to others, or does not hold a key.
    pub fn load(path: &Path) -> Result<Self, KekError> {
        let io = |error| KekError::Io { path: path.to_owned(), error };
        let file = std::fs::File::open(path).map_err(io)?;
        // Of the open file, so that nobody can put another in its place in between.
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(KekError::Permissions(path.to_owned()));
        }
        // With room for all of it, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * Self::MAX_TEXT));
        file.take(Self::MAX_TEXT as u64).read_to_string(&mut text).map_err(io)?;
        Self::from_text(&text).map_err(|_| KekError::File(path.to_owned()))
    }

    /// The key of a file, which is made with a new key if it does not exist.
    ///
    /// # Errors
    /// As [`Self::load`]; also when the file cannot be made.
    pub fn load_or_create(path: &Path) -> Result<Self, KekError> {
        let io = |error| KekError::Io { path: path.to_owned(), error };
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let mut text = Zeroizing::new(String::with_capacity(2 * Self::LEN + 1));
                for byte in Zeroizing::new(entropy::bytes::<{ Self::LEN }>()).iter() {
                    for nibble in [byte >> 4, byte & 15] {
                        text.extend(char::from_digit(u32::from(nibble), 16));
                    }
                }
                text.push('\n');
                file.write_all(text.as_bytes()).map_err(io)?;
                // Keys sealed with it must not outlive it: it is on the disk before they are.
                file.sync_all().map_err(io)?;
                let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
                let directory = std::fs::File::open(directory.unwrap_or(Path::new("."))).map_err(io)?;
                directory.sync_all().map_err(io)?;
                tracing::info!(path = %path.display(), "made a key-encryption key; back it up apart from the database");
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        Self::load(path)
    }

    /// Seals a private key for the place that it will be stored in.
    pub(super) fn seal(&self, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, CryptoFailed> {
        let nonce = entropy::bytes::<NONCE_LEN>();
        let mut sealed = Zeroizing::new(secret.to_vec());
        let tag = self.cipher()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.bytes()),
            &mut sealed,
        )?;
        Ok([&[Self::VERSION], nonce.as_slice(), &sealed, tag.as_ref()].concat())
    }

    /// Opens a sealed key; `None` says that another key sealed it, or that it was changed.
    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *version != Self::VERSION {
            return None;
        }
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let len = self.cipher().ok()?.open_in_place(nonce, Aad::from(place.bytes()), &mut buffer).ok()?.len();
        buffer.truncate(len);
        Some(buffer)
    }

    fn cipher(&self) -> Result<LessSafeKey, CryptoFailed> {
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.0.as_slice())?))
    }
}

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyEncryptionKey")
    }
}

/// What a sealed key is bound to, so that one row's key does not open in another.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) purpose: KeyPurpose,
    pub(super) number: u8,
    pub(super) id: &'a str,
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        let Self { purpose, number, id } = self;
        let version = KeyEncryptionKey::VERSION;
        [b"countersign key\0", purpose.as_str().as_bytes(), &[0, version, number], id.as_bytes()].concat()
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; KeyEncryptionKey::LEN]>> {
    let mut bytes = Zeroizing::new([0; KeyEncryptionKey::LEN]);
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in digits {
            *byte = (*byte << 4) | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Option<Zeroizing<[u8; KeyEncryptionKey::LEN]>> {
    let text = text.trim_end_matches('=');
    let bytes = match text.contains(['+', '/']) {
        true => STANDARD_NO_PAD.decode(text),
        false => URL_SAFE_NO_PAD.decode(text),
    };
    let bytes = Zeroizing::new(bytes.ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { purpose: KeyPurpose::Refresh, number: 1, id: "refresh-1" };

    #[test]
    fn a_key_is_text_in_hex_or_base64() {
        let hex = "00ff".repeat(16);
        let standard = base64::engine::general_purpose::STANDARD.encode([0xfb; 32]);
        for good in [
            hex.as_str(),
            &hex.to_uppercase(),
            &format!(" {hex}\n"),
            &standard,
            standard.trim_end_matches('='),
        ] {
            assert!(KeyEncryptionKey::from_text(good).is_ok(), "{good}");
        }
        assert!(KeyEncryptionKey::from_text(&URL_SAFE_NO_PAD.encode([0xfb; 32])).is_ok());
        for bad in [
            "",
            "hunter2",
            &hex[2..],
            &format!("{hex}00"),
            &"zz".repeat(32),
            &URL_SAFE_NO_PAD.encode([1; 33]),
        ] {
            let error = KeyEncryptionKey::from_text(bad).unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad));
        }
        let sealed = KeyEncryptionKey::from_text(&hex).unwrap().seal(PLACE, b"secret").unwrap();
        let same = URL_SAFE_NO_PAD.encode([[0, 0xff]; 16].concat());
        let same = KeyEncryptionKey::from_text(&same).unwrap();
        assert_eq!(same.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place_only() {
        let kek = KeyEncryptionKey::from_bytes(&[7; 32]);
        let sealed = kek.seal(PLACE, b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_ne!(sealed, kek.seal(PLACE, b"secret").unwrap());
        assert!(KeyEncryptionKey::from_bytes(&[8; 32]).open(PLACE, &sealed).is_none());
        assert!(kek.open(Place { number: 2, ..PLACE }, &sealed).is_none());
        assert!(kek.open(Place { id: "refresh-2", ..PLACE }, &sealed).is_none());
        assert!(kek.open(Place { purpose: KeyPurpose::Opaque, ..PLACE }, &sealed).is_none());
        for at in 0..sealed.len() {
            let mut edited = sealed.clone();
            edited[at] ^= 1;
            assert!(kek.open(PLACE, &edited).is_none(), "{at}");
            assert!(kek.open(PLACE, &sealed[..at]).is_none(), "{at}");
        }
        assert_eq!(format!("{kek:?}"), "KeyEncryptionKey");
    }

    #[test]
    fn the_file_is_made_once_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        assert!(matches!(KeyEncryptionKey::load(&path), Err(KekError::Io { .. })));
        let sealed = KeyEncryptionKey::load_or_create(&path).unwrap().seal(PLACE, b"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = KeyEncryptionKey::load_or_create(&path).unwrap();
        assert_eq!(again.open(PLACE, &sealed).unwrap().as_slice(), b"secret");

        for mode in [0o640, 0o604, 0o660, 0o610] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyEncryptionKey::load_or_create(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(KeyEncryptionKey::load(&path).is_ok());

        let empty = directory.path().join("empty");
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&empty).unwrap();
        assert!(matches!(KeyEncryptionKey::load_or_create(&empty), Err(KekError::File(_))));
    }
}
