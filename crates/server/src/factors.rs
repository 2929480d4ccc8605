//! What a person shows beside a password: one file per kind, each without store and HTTP.

pub mod passkey;
pub mod qr;
pub mod recovery;
pub mod totp;
