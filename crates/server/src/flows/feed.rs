//! The revocation feed: how APIs that check tokens by themselves hear of what is over.
//!
//! The log is gapless and its numbers become visible in their own order (decision 0007), so a reader
//! is told all by "what is after the number that I have". One task reads the log for all
//! subscribers and keeps its last pieces. Nothing is queued for a subscriber: each takes the next
//! piece when it has sent the one before, from those kept or, when it is slow, from the store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_verify::Verifier;
use countersign_wire::{
    AccessClaims, AccessToken, ClientId, REVOCATIONS_SCOPE, Revocation, Revocations, Revoked,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::bearer::{self, BearerRefusal};
use super::{FlowError, FlowResult, Origin};
use crate::app::App;
use crate::store::{RevocationEntry, StoreResult, Target};
use crate::time::Timestamp;

/// Most entries of a piece.
pub const MOST_ENTRIES: u32 = 1000;
/// Most subscribers of a node.
pub const MOST_SUBSCRIBERS: usize = 8192;
/// Time between two signs of life.
pub const BEAT: Duration = Duration::from_secs(5);
/// Pieces that are kept for subscribers who are nearly up to date.
const KEPT: usize = 64;
/// Longest time until the log is looked at again, whatever woke us or not.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a poll is remembered for the operator.
const POLL_REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// The feed of this node.
pub struct Feed {
    head: watch::Sender<Head>,
    readers: Mutex<Readers>,
}

/// How far this node has read the log.
#[derive(Clone, Default)]
struct Head {
    cursor: u64,
    /// When that was the end of the log for certain; `None` before it was ever read.
    known_at: Option<Instant>,
    /// The last pieces: where each begins, and the piece.
    kept: VecDeque<(u64, Arc<Piece>)>,
    is_over: bool,
}

/// A piece of the log, written out once for all.
#[derive(Debug)]
pub struct Piece {
    /// Where it ends.
    pub cursor: u64,
    /// [`Revocations`] as JSON.
    pub json: String,
}

#[derive(Default)]
struct Readers {
    last: u64,
    all: BTreeMap<u64, Reader>,
}

/// Somebody who reads the feed here, for the operator.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The client.
    pub client: ClientId,
    /// From where.
    pub network: String,
    /// Whether it stays connected, or comes again and again.
    pub streams: bool,
    /// Since when.
    pub since: Timestamp,
    /// When it was sent something last.
    pub at: Timestamp,
    /// Up to where.
    pub cursor: u64,
}

/// What a subscriber is sent next.
#[derive(Debug)]
pub enum News {
    /// The next piece.
    Piece(Arc<Piece>),
    /// Nothing new: where the log ends, and how long ago that was known.
    Heartbeat {
        /// Where the log ends.
        cursor: u64,
        /// How long ago.
        age: Duration,
    },
    /// The subscriber's cursor is beyond the log's end: what follows begins at 0.
    Reset,
    /// The last word: why.
    Over(&'static str),
}

impl Default for Feed {
    fn default() -> Self {
        Self { head: watch::Sender::new(Head::default()), readers: Mutex::default() }
    }
}

impl Feed {
    /// Reads the log for all subscribers, for ever.
    pub async fn follow(&self, app: &App) {
        loop {
            match self.look(app).await {
                Ok(true) => {}
                Ok(false) => app.store.changed(LOOK_EVERY).await,
                Err(error) => {
                    tracing::debug!(%error, "the revocation log could not be read");
                    app.store.changed(LOOK_EVERY).await;
                }
            }
        }
    }

    /// Ends all subscriptions: the node stops.
    pub fn close(&self) {
        self.head.send_modify(|head| head.is_over = true);
    }

    /// Who reads here.
    pub fn readers(&self, now: Timestamp) -> Vec<Reader> {
        let mut readers = self.lock();
        readers.all.retain(|_, reader| reader.streams || now.since(reader.at) < POLL_REMEMBERED);
        readers.all.values().cloned().collect()
    }

    /// Where the log ended when this node looked last.
    pub fn cursor(&self) -> u64 {
        self.head.borrow().cursor
    }

    /// Takes the next piece of the log in. True: there may be more.
    async fn look(&self, app: &App) -> StoreResult<bool> {
        let (from, is_first) = {
            let head = self.head.borrow();
            (head.cursor, head.known_at.is_none())
        };
        let now = Instant::now();
        // Nobody wants to hear of what was before the node started, but from the store.
        let end = app.store.position().await?;
        if end < from {
            // A store that was put back while we ran: subscribers find themselves ahead, and are told so.
            self.head.send_modify(|head| {
                (head.cursor, head.known_at) = (end, Some(now));
                head.kept.clear();
            });
            return Ok(true);
        }
        let after = if is_first { end } else { from };
        let page = read(app, after, MOST_ENTRIES).await?;
        let more = page.more;
        self.head.send_if_modified(|head| {
            let is_news = page.cursor != head.cursor;
            if is_news && !is_first {
                if head.kept.len() == KEPT {
                    head.kept.pop_front();
                }
                head.kept.push_back((from, Arc::new(Piece::new(&page))));
            }
            head.cursor = page.cursor;
            if !more {
                head.known_at = Some(now);
            }
            // Subscribers are woken for news, and for the first time.
            is_news || is_first
        });
        Ok(more)
    }

    fn lock(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    fn new(page: &Revocations) -> Self {
        // Numbers and short texts: nothing of this can fail to be written.
        Self { cursor: page.cursor, json: serde_json::to_string(page).unwrap_or_default() }
    }
}

/// The piece of the log after a number.
async fn read(app: &App, after: u64, limit: u32) -> StoreResult<Revocations> {
    // First the end, then the entries: all up to that end are seen.
    let end = app.store.position().await?;
    // Who allows for clocks that differ lets a token live that much longer. Rows are kept for minutes
    // after their expiry, so these are there.
    let now = app.clock.now().minus(Verifier::MAX_LEEWAY);
    let entries = app.store.revocations(after, limit, now).await?;
    let more = entries.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let last = entries.last().map_or(after, |entry| entry.number);
    let cursor = if more { last } else { last.max(end) };
    Ok(Revocations { after, cursor, more, entries: entries.into_iter().map(as_told).collect() })
}

fn as_told(entry: RevocationEntry) -> Revocation {
    let revoked = match entry.target {
        Target::Token(jti) => Revoked::Token { jti },
        Target::Session(sid) => Revoked::Session { sid },
        // Without a version there is none that would be good.
        Target::User(user) => Revoked::User { sub: user.to_string(), stv: entry.stamp.unwrap_or(u64::MAX) },
        Target::Client(client_id) => Revoked::Client { client_id },
        Target::Tenant(tenant) => Revoked::Tenant { tenant },
        Target::Everything => Revoked::Everything,
    };
    // The last token is good until the end of this second.
    Revocation { n: entry.number, exp: entry.expires_at.seconds() + 1, revoked }
}

/// Whether a token may read the feed.
///
/// # Errors
/// The store's silence; a refusal is the inner `Err`.
pub async fn admit(
    app: &App,
    token: &str,
    now: Timestamp,
) -> FlowResult<Result<Arc<AccessClaims>, BearerRefusal>> {
    bearer::check(app, token, &app.policy.issuer, REVOCATIONS_SCOPE, now).await
}

/// The log after a cursor, for who comes again and again. A cursor beyond the log's end is
/// answered from the beginning: `after` in the answer says so.
///
/// # Errors
/// The store's silence.
pub async fn poll(
    app: &App,
    claims: &AccessClaims,
    origin: &Origin,
    after: u64,
    limit: u32,
    now: Timestamp,
) -> FlowResult<Revocations> {
    let after = if after > app.store.position().await? { 0 } else { after };
    let page = read(app, after, limit.clamp(1, MOST_ENTRIES)).await?;
    let mut readers = app.feed.lock();
    let known = readers
        .all
        .iter()
        .find(|(_, r)| !r.streams && r.client == claims.client_id && r.network == origin.network);
    let (id, since) = match known {
        Some((id, reader)) => (*id, reader.since),
        None => {
            readers.last += 1;
            (readers.last, now)
        }
    };
    if readers.all.len() < MOST_SUBSCRIBERS {
        let reader = Reader {
            client: claims.client_id.clone(),
            network: origin.network.clone(),
            streams: false,
            since,
            at: now,
            cursor: page.cursor,
        };
        readers.all.insert(id, reader);
    }
    drop(readers);
    Ok(page)
}

/// Somebody who stays connected; who is gone has no place any more.
pub struct Subscriber {
    app: Arc<App>,
    id: u64,
    token: AccessToken,
    head: watch::Receiver<Head>,
    cursor: u64,
    beat_at: Instant,
    check_at: Instant,
    is_over: bool,
}

/// Subscribes the holder of a token that was admitted. `None`: there are too many already.
pub fn subscribe(
    app: &Arc<App>,
    claims: &AccessClaims,
    token: AccessToken,
    origin: &Origin,
    after: u64,
    now: Timestamp,
) -> Option<Subscriber> {
    let mut readers = app.feed.lock();
    if readers.all.values().filter(|reader| reader.streams).count() >= MOST_SUBSCRIBERS {
        return None;
    }
    readers.last += 1;
    let id = readers.last;
    let reader = Reader {
        client: claims.client_id.clone(),
        network: origin.network.clone(),
        streams: true,
        since: now,
        at: now,
        cursor: after,
    };
    readers.all.insert(id, reader);
    drop(readers);
    app.metrics.feed_subscribers(1);
    let head = app.feed.head.subscribe();
    // The first sign of life comes at once.
    let beat_at = Instant::now();
    let check_at = beat_at + BEAT;
    Some(Subscriber { app: app.clone(), id, token, head, cursor: after, beat_at, check_at, is_over: false })
}

impl Subscriber {
    /// What to send next; `None` after the last word.
    pub async fn next(&mut self) -> Option<News> {
        if self.is_over {
            return None;
        }
        let news = self.find().await;
        let now = self.app.clock.now();
        match &news {
            News::Piece(piece) => self.cursor = piece.cursor,
            News::Reset => self.cursor = 0,
            News::Heartbeat { .. } => {}
            News::Over(_) => self.is_over = true,
        }
        if let Some(reader) = self.app.feed.lock().all.get_mut(&self.id) {
            (reader.at, reader.cursor) = (now, self.cursor);
        }
        Some(news)
    }

    async fn find(&mut self) -> News {
        loop {
            let (end, age, kept, is_over) = {
                let head = self.head.borrow_and_update();
                let kept = head.kept.iter().find(|(from, _)| *from == self.cursor);
                (
                    head.cursor,
                    head.known_at.map(|at| at.elapsed()),
                    kept.map(|(_, piece)| piece.clone()),
                    head.is_over,
                )
            };
            if is_over {
                return News::Over("the server stops: connect again");
            }
            // Also for who is never up to date.
            if Instant::now() >= self.check_at {
                self.check_at = Instant::now() + BEAT;
                if let Some(why) = self.refused().await {
                    return News::Over(why);
                }
            }
            if let Some(piece) = kept {
                return News::Piece(piece);
            }
            if age.is_some()
                && self.cursor != end
                && let Some(news) = self.read().await
            {
                return news;
            }
            // Until this node has read the log it cannot say how far that is.
            if let Some(age) = age
                && Instant::now() >= self.beat_at
            {
                self.beat_at = Instant::now() + BEAT;
                return News::Heartbeat { cursor: end.max(self.cursor), age };
            }
            tokio::select! {
                // The sender is part of the application that we hold.
                _ = self.head.changed() => {}
                () = tokio::time::sleep_until(self.check_at) => {}
                () = tokio::time::sleep_until(self.beat_at), if age.is_some() => {}
            }
        }
    }

    /// From the store, for who is not up to date, or ahead of this node.
    async fn read(&self) -> Option<News> {
        let end = self.app.store.position().await.ok()?;
        if self.cursor > end {
            return Some(News::Reset);
        }
        if self.cursor == end {
            return None;
        }
        let page = read(&self.app, self.cursor, MOST_ENTRIES).await.ok()?;
        Some(News::Piece(Arc::new(Piece::new(&page))))
    }

    /// Why the token is not good any more. While nobody knows, the subscriber stays.
    async fn refused(&self) -> Option<&'static str> {
        match admit(&self.app, self.token.expose(), self.app.clock.now()).await {
            Ok(Ok(_)) | Err(FlowError::Store(_) | FlowError::Internal(_)) => None,
            Ok(Err(BearerRefusal::Expired)) => Some("the access token expired: connect again with a new one"),
            Ok(Err(_)) | Err(FlowError::Refused(_)) => Some("the access token is not good any more"),
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.app.feed.lock().all.remove(&self.id);
        self.app.metrics.feed_subscribers(-1);
    }
}
