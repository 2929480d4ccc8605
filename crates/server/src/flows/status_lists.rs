//! Status lists (Token Status List, draft-ietf-oauth-status-list-20): the revocation of sessions in
//! the standard's form, for readers that know nothing of our feed.
//!
//! A list is computed from the sessions when somebody asks for it, and kept for a few seconds; its
//! bits for longer, while nothing ends. Nothing is written for it when something does, so a list can
//! never disagree with the store for longer than that; see decision 0018.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use countersign_wire::{Status, StatusList, StatusListClaims, StatusReference};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::{FlowError, FlowResult};
use crate::app::App;
use crate::entropy;
use crate::store::{Session, StatusBits, StatusIndex};
use crate::time::Timestamp;

/// How old a list may be when it is served, and for how long its reader may keep it: the `ttl`.
pub const RENEWED: Duration = Duration::from_secs(5);
/// How long a reader may go on with a list while it cannot get another: until its `exp`.
pub const LIFE: Duration = Duration::from_secs(5 * 60);
/// How old the bits of a list may be when nothing has ended since they were read.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// How long after its session's expiry an index is given to no other session: whoever has a list
/// that says of the index that it is over has it no longer, slow clocks included.
pub const RESERVED: Duration = Duration::from_secs(10 * 60);
/// Most lists that are kept.
const MOST_KEPT: usize = 64;

/// The lists of this node.
#[derive(Default)]
pub struct StatusLists {
    kept: Mutex<BTreeMap<u64, Arc<Document>>>,
    /// One list is computed at a time: whoever asks for all of them takes one connection of the
    /// store, and no more.
    turn: tokio::sync::Mutex<()>,
}

/// A list as it is served. Nothing of it is secret.
#[derive(Debug)]
pub struct Document {
    /// The Status List Token, a JWT (section 5.1).
    pub token: Bytes,
    /// The same, compressed (RFC 1952).
    pub gzip: Bytes,
    made_at: Timestamp,
    bits: Bits,
}

/// What a list says, and when that was.
#[derive(Debug, Clone)]
struct Bits {
    list: StatusList,
    /// The store's version before they were read: as long as it stays, nothing has ended.
    version: u64,
    read_at: Timestamp,
}

impl Document {
    /// How long it is good to be served again; zero when it is not.
    pub fn fresh_for(&self, now: Timestamp) -> Duration {
        RENEWED.saturating_sub(now.since(self.made_at))
    }
}

impl StatusLists {
    fn fresh(&self, list: u64, now: Timestamp) -> Option<Arc<Document>> {
        self.lock().get(&list).filter(|document| !document.fresh_for(now).is_zero()).cloned()
    }

    /// The bits that were read last, if they still are what a reading would find.
    fn unchanged(&self, list: u64, version: u64, now: Timestamp) -> Option<Bits> {
        let bits = self.lock().get(&list)?.bits.clone();
        (bits.version == version && now.since(bits.read_at) < READ_AGAIN).then_some(bits)
    }

    /// Keeps a list in place of the one that was made first.
    fn keep(&self, list: u64, document: Arc<Document>) {
        let mut kept = self.lock();
        if kept.len() >= MOST_KEPT
            && !kept.contains_key(&list)
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, document)| document.made_at).map(|(list, _)| *list)
        {
            kept.remove(&oldest);
        }
        kept.insert(list, document);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Document>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A list as it is now, or was a moment ago. `None`: no session is in a list of that number.
///
/// # Errors
/// The store's silence.
pub async fn find(app: &App, list: u64, now: Timestamp) -> FlowResult<Option<Arc<Document>>> {
    let lists = &app.status_lists;
    if let Some(document) = lists.fresh(list, now) {
        return Ok(Some(document));
    }
    // Asked outside of the turn: who guesses numbers keeps nobody waiting.
    if list > StatusIndex::LAST_LIST || !app.store.has_status_list(list).await? {
        return Ok(None);
    }
    let _turn = lists.turn.lock().await;
    // Who held the turn may have made it.
    if let Some(document) = lists.fresh(list, now) {
        return Ok(Some(document));
    }
    let version = app.store.version().await?;
    let bits = match lists.unchanged(list, version, now) {
        Some(bits) => bits,
        None => {
            let bits = app.store.status_list(list, now).await?;
            Bits { list: encode(&bits).map_err(not_written)?, version, read_at: now }
        }
    };
    let document = Arc::new(document(app, list, bits, now)?);
    lists.keep(list, document.clone());
    Ok(Some(document))
}

/// Positions for a new session, if it is to be in a list.
pub fn draw(app: &App) -> Vec<u32> {
    if !app.policy.status_lists {
        return Vec::new();
    }
    let random = entropy::bytes::<{ 4 * StatusIndex::DRAWN }>();
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |acc, byte| (acc << 8) | u32::from(*byte));
    // A power of two: each position is as likely as the next.
    random.chunks_exact(4).map(|bytes| number(bytes) % StatusIndex::LIST_LEN).collect()
}

/// The `status` claim of a session's tokens.
pub fn claim(app: &App, session: &Session) -> Option<Status> {
    let index = session.status_index.filter(|_| app.policy.status_lists)?;
    let status_list = StatusReference { idx: index.position(), uri: uri(&app.policy.issuer, index.list()) };
    Some(Status { status_list })
}

fn uri(issuer: &str, list: u64) -> String {
    format!("{issuer}/status-lists/{list}")
}

fn document(app: &App, list: u64, bits: Bits, now: Timestamp) -> FlowResult<Document> {
    let issuer = &app.policy.issuer;
    let claims = StatusListClaims {
        iss: issuer.clone(),
        sub: uri(issuer, list),
        iat: now.seconds(),
        exp: now.plus(LIFE).seconds(),
        ttl: RENEWED.as_secs(),
        status_list: bits.list.clone(),
    };
    let token = app.keys.snapshot().sign_status_list(app.policy.signing_algorithm, &claims, now).map_err(
        |error| {
            tracing::error!(%error, "a status list could not be signed");
            FlowError::Internal("a status list could not be signed")
        },
    )?;
    // What is base64 twice has a third of it to give back.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(token.as_bytes()).map_err(not_written)?;
    let gzip = gzip.finish().map_err(not_written)?;
    Ok(Document { token: token.into(), gzip: gzip.into(), made_at: now, bits })
}

fn not_written(_: std::io::Error) -> FlowError {
    FlowError::Internal("a status list could not be written")
}

/// A list in the form of section 4.2.
fn encode(bits: &StatusBits) -> std::io::Result<StatusList> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(bits.as_bytes())?;
    Ok(StatusList { bits: 1, lst: URL_SAFE_NO_PAD.encode(zlib.finish()?) })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    fn inflate(lst: &str) -> Vec<u8> {
        let compressed = URL_SAFE_NO_PAD.decode(lst).unwrap();
        // The header of zlib, at its best compression (RFC 1950 section 2.2).
        assert_eq!(compressed[..2], [0x78, 0xda]);
        let mut bytes = Vec::new();
        ZlibDecoder::new(compressed.as_slice()).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// The example of section 4.2, and the test vector for one bit of appendix C: others read ours as
    /// we read theirs.
    #[test]
    fn a_list_is_in_the_form_of_the_draft() {
        assert_eq!(inflate("eNrbuRgAAhcBXQ"), [0xb9, 0xa3]);
        let vector = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAA\
             AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpL\
             AAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";
        let theirs = inflate(vector);
        assert_eq!(theirs.len(), (1 << 20) / 8);
        let over: Vec<usize> = (0..1 << 20).filter(|at| theirs[at / 8] & (1 << (at % 8)) != 0).collect();
        let expected =
            [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345];
        assert_eq!(over, expected);

        // Those of them that a list of ours has room for, in the same bytes.
        let mut bits = StatusBits::none();
        [0, 1993, 25460].into_iter().for_each(|at| bits.set(at));
        let list = encode(&bits).unwrap();
        assert_eq!(list.bits, 1);
        assert_eq!(inflate(&list.lst), theirs[..bits.as_bytes().len()]);
    }

    #[test]
    fn a_list_is_small_however_many_are_over() {
        // Half of all at random is the worst.
        let mut bits = StatusBits::none();
        let random = entropy::bytes::<16_384>();
        (0..StatusIndex::LIST_LEN).filter(|at| random[*at as usize / 8] & (1 << (at % 8)) != 0).for_each(
            |at| {
                bits.set(at);
            },
        );
        assert!(encode(&bits).unwrap().lst.len() < 22_000);
        assert!(encode(&StatusBits::all()).unwrap().lst.len() < 80);
    }

    fn made(ms: i64) -> Document {
        let list = StatusList { bits: 1, lst: String::new() };
        let bits = Bits { list, version: 7, read_at: Timestamp(ms) };
        Document { token: Bytes::new(), gzip: Bytes::new(), made_at: Timestamp(ms), bits }
    }

    #[test]
    fn bits_are_read_again_when_something_ended_and_now_and_then() {
        let lists = StatusLists::default();
        assert!(lists.unchanged(0, 7, Timestamp(0)).is_none());
        lists.keep(0, Arc::new(made(0)));
        assert!(lists.unchanged(0, 7, Timestamp(59_999)).is_some());
        assert!(lists.unchanged(0, 7, Timestamp(60_000)).is_none());
        assert!(lists.unchanged(0, 8, Timestamp(0)).is_none());
        assert!(lists.unchanged(1, 7, Timestamp(0)).is_none());
        // An index is free for another session when nobody can have a list that says it is over.
        assert!(READ_AGAIN + LIFE + RENEWED < RESERVED);
    }

    #[test]
    fn so_many_lists_are_kept_and_no_more() {
        let lists = StatusLists::default();
        let at = |ms: i64| Arc::new(made(ms));
        for list in 0..=MOST_KEPT as u64 {
            lists.keep(list, at(list as i64));
        }
        assert_eq!(lists.lock().len(), MOST_KEPT);
        // The first made is gone; the others are fresh for five seconds.
        assert!(lists.fresh(0, Timestamp(5)).is_none());
        assert!(lists.fresh(1, Timestamp(5_000)).is_some());
        assert!(lists.fresh(1, Timestamp(5_001)).is_none());
        lists.keep(64, at(9_000));
        assert_eq!(lists.lock().len(), MOST_KEPT);
        assert_eq!(at(0).fresh_for(Timestamp(1_500)), Duration::from_millis(3_500));
    }
}
