//! Every file of every corpus, and a few thousand edits of them from a fixed seed, or that of
//! `COUNTERSIGN_FUZZ_SEED`. What libFuzzer does for hours (`just fuzz`), in seconds.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what was tried, for the table of `just prove`")]

use std::path::{Path, PathBuf};

use countersign_fuzz_bodies::TARGETS;
use fastrand::Rng;

const SEED: u64 = 1;
/// Edits of each file.
const EDITS: usize = 100;
/// Longest input that edits make.
const MAX_LEN: usize = 4096;

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn seed() -> u64 {
    std::env::var("COUNTERSIGN_FUZZ_SEED").map_or(SEED, |text| text.parse().unwrap())
}

fn corpus(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn edit(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(..=bytes.len());
    match rng.u8(..7) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.u8(..)),
        2 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        3 if at < bytes.len() => drop(bytes.remove(at)),
        4 => bytes.extend_from_within(at..),
        // The tail of another seed.
        5 => {
            let other = &others[rng.usize(..others.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        _ => bytes.insert(at, *rng.choice(b"&=+%;,.: \n\"\\{}[]\0\x7f\xff").unwrap()),
    }
    bytes.truncate(MAX_LEN);
}

fn run(target: &str) {
    let (_, body) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let seeds: Vec<Vec<u8>> = corpus(target).into_iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "{target} has no corpus");
    let seed_of_edits = seed();
    let mut rng = Rng::with_seed(seed_of_edits);
    for seed in &seeds {
        body(seed);
        let mut bytes = seed.clone();
        for count in 0..EDITS {
            if count % 8 == 0 {
                bytes.clone_from(seed);
            }
            edit(&mut bytes, &seeds, &mut rng);
            // Shown when the body panics: the input that did it.
            let shown = Shown(target, seed_of_edits, &bytes);
            body(&bytes);
            drop(shown);
        }
    }
    // For the table of `just prove`, which reads this line.
    println!("proof: {} inputs, seed {seed_of_edits}", seeds.len() * (1 + EDITS));
}

/// Prints its bytes when it is dropped by a panic.
struct Shown<'a>(&'a str, u64, &'a [u8]);

impl Drop for Shown<'_> {
    #[expect(clippy::print_stderr, reason = "the input of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} fails on b\"{}\" (seed {})", self.0, self.2.escape_ascii(), self.1);
        }
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_target_is_run() {
            assert_eq!(TARGETS.map(|(name, _)| name).to_vec(), [$(stringify!($name)),*]);
        }
    };
}

targets!(
    form,
    json,
    percent,
    scope,
    ids,
    forwarded,
    request_id,
    settings,
    backup,
    refresh_token,
    opaque_token,
    jwt,
    feed,
    endpoint,
    page,
    authorization,
    redirect,
    passkey,
    jwk,
    management,
    gateway
);
