//! What is revoked, in memory: asked for every request, so there is no lock that a writer holds for
//! long, and no list that is searched.
//!
//! An id is kept as 16 bytes. A million entries take 24 to 48 MiB, as the tables' sizes double.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aws_lc_rs::digest::{SHA256, digest};
use countersign_wire::{AccessClaims, ClientId, Revocation, Revoked};

/// An id: a session's as it is, others as the beginning of a hash.
type Key = [u8; 16];

/// Tables among which the ids are divided: each is locked, grows and is swept by itself.
const SHARDS: usize = 64;

/// The revocations that concern tokens which have not expired.
#[derive(Debug)]
pub struct RevokedSet {
    shards: Vec<RwLock<Shard>>,
    wide: RwLock<Wide>,
    /// Entries in the shards.
    len: AtomicUsize,
    /// The shard that is swept next.
    next: AtomicUsize,
    /// Tokens that expired up to here may have been revoked, and that be forgotten.
    forgotten: AtomicU64,
}

/// Ids, each with the second in which its entry can be forgotten.
#[derive(Debug, Default)]
struct Shard {
    /// Sessions and single tokens.
    ended: HashMap<Key, u32>,
    /// Users: tokens with a lower stamp version are over.
    users: HashMap<Key, (u32, u32)>,
}

/// What ends many at once: by the number of the newest such entry.
#[derive(Debug, Default)]
struct Wide {
    clients: HashMap<ClientId, Cut>,
    tenants: HashMap<String, Cut>,
    everything: Option<Cut>,
}

/// Tokens with a lower `rev` are over.
#[derive(Debug, Clone, Copy)]
struct Cut {
    n: u64,
    exp: u64,
}

/// The ids of a token under which it could be revoked, worked out once for a token that is asked
/// about often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subjects {
    token: Key,
    session: Option<Key>,
    user: Option<(Key, u32)>,
}

impl Subjects {
    pub(crate) fn of(claims: &AccessClaims) -> Self {
        Self {
            token: token_key(&claims.jti),
            session: claims.sid.map(|sid| sid.0.into_bytes()),
            user: claims.stv.map(|stv| (user_key(&claims.sub), narrow(stv))),
        }
    }
}

impl Default for RevokedSet {
    fn default() -> Self {
        Self {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            wide: RwLock::default(),
            len: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
        }
    }
}

impl RevokedSet {
    /// Nothing is revoked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an entry in. Twice is as good as once, and in any order.
    pub fn add(&self, entry: &Revocation) {
        let cut = Cut { n: entry.n, exp: entry.exp };
        match &entry.revoked {
            Revoked::Token { jti } => self.end(token_key(jti), entry.exp),
            Revoked::Session { sid } => self.end(sid.0.into_bytes(), entry.exp),
            Revoked::User { sub, stv } => self.end_user(user_key(sub), narrow(*stv), entry.exp),
            Revoked::Client { client_id } => latest(&mut write(&self.wide).clients, client_id.clone(), cut),
            Revoked::Tenant { tenant } => latest(&mut write(&self.wide).tenants, tenant.clone(), cut),
            Revoked::Everything => {
                let mut wide = write(&self.wide);
                wide.everything = Some(wide.everything.map_or(cut, |known| known.later(cut)));
            }
        }
    }

    /// Whether a token is over.
    pub fn ends(&self, claims: &AccessClaims) -> bool {
        self.ends_by(&Subjects::of(claims), claims)
    }

    /// The same, for a token whose ids are worked out.
    pub(crate) fn ends_by(&self, subjects: &Subjects, claims: &AccessClaims) -> bool {
        // A clock that was ahead, and is set back, does not bring them to life.
        claims.exp <= self.forgotten.load(Ordering::Acquire)
            || self.read(&subjects.token).ended.contains_key(&subjects.token)
            || subjects.session.is_some_and(|key| self.read(&key).ended.contains_key(&key))
            || subjects.user.is_some_and(|(key, known)| {
                self.read(&key).users.get(&key).is_some_and(|(stv, _)| known < *stv)
            })
            || read(&self.wide).ends(claims)
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        let wide = read(&self.wide);
        let wide = wide.clients.len() + wide.tenants.len() + usize::from(wide.everything.is_some());
        self.len.load(Ordering::Relaxed) + wide
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets some of what concerns no token any more: a part of the whole, so that nobody waits
    /// for it. 64 calls go once through everything.
    pub fn forget_some(&self, now_seconds: u64) {
        self.forgotten.fetch_max(now_seconds, Ordering::AcqRel);
        let at = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        if let Some(shard) = self.shards.get(at) {
            let mut shard = write(shard);
            let before = shard.len();
            shard.ended.retain(|_, exp| u64::from(*exp) > now_seconds);
            shard.users.retain(|_, (_, exp)| u64::from(*exp) > now_seconds);
            if shard.len() < shard.capacity() / 4 {
                shard.ended.shrink_to_fit();
                shard.users.shrink_to_fit();
            }
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
        if at == 0 {
            let mut wide = write(&self.wide);
            wide.clients.retain(|_, cut| cut.exp > now_seconds);
            wide.tenants.retain(|_, cut| cut.exp > now_seconds);
            wide.everything = wide.everything.filter(|cut| cut.exp > now_seconds);
        }
    }

    /// The same for the whole.
    pub fn forget(&self, now_seconds: u64) {
        for _ in 0..SHARDS {
            self.forget_some(now_seconds);
        }
    }

    /// Forgets everything: the log begins anew.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut shard = write(shard);
            self.len.fetch_sub(shard.len(), Ordering::Relaxed);
            *shard = Shard::default();
        }
        *write(&self.wide) = Wide::default();
    }

    fn end(&self, key: Key, exp: u64) {
        let mut shard = self.write(&key);
        let known = shard.ended.entry(key).or_insert_with(|| {
            self.len.fetch_add(1, Ordering::Relaxed);
            0
        });
        *known = narrow(exp).max(*known);
    }

    fn end_user(&self, key: Key, stv: u32, exp: u64) {
        let mut shard = self.write(&key);
        let known = shard.users.entry(key).or_insert_with(|| {
            self.len.fetch_add(1, Ordering::Relaxed);
            (0, 0)
        });
        *known = (known.0.max(stv), known.1.max(narrow(exp)));
    }

    fn read(&self, key: &Key) -> RwLockReadGuard<'_, Shard> {
        read(self.shard(key))
    }

    fn write(&self, key: &Key) -> RwLockWriteGuard<'_, Shard> {
        write(self.shard(key))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is less than the number of shards, which is fixed"
    )]
    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        // The last byte is random in a UUIDv7 and in a hash.
        &self.shards[usize::from(key[15]) % SHARDS]
    }
}

impl Shard {
    fn len(&self) -> usize {
        self.ended.len() + self.users.len()
    }

    fn capacity(&self) -> usize {
        self.ended.capacity() + self.users.capacity()
    }
}

impl Wide {
    fn ends(&self, claims: &AccessClaims) -> bool {
        let is_older = |cut: &Cut| claims.rev < cut.n;
        self.everything.as_ref().is_some_and(is_older)
            || self.clients.get(&claims.client_id).is_some_and(is_older)
            || claims.tenant.as_ref().and_then(|tenant| self.tenants.get(tenant)).is_some_and(is_older)
    }
}

impl Cut {
    fn later(self, other: Self) -> Self {
        Self { n: self.n.max(other.n), exp: self.exp.max(other.exp) }
    }
}

fn latest<K: Hash + Eq>(cuts: &mut HashMap<K, Cut>, key: K, cut: Cut) {
    cuts.entry(key).and_modify(|known| *known = known.later(cut)).or_insert(cut);
}

/// A session's id is a UUID; the others' hashes begin with their kind, so that no text of one kind
/// is an id of the other.
fn token_key(jti: &str) -> Key {
    key("jti:", jti)
}

fn user_key(sub: &str) -> Key {
    key("sub:", sub)
}

fn key(kind: &str, id: &str) -> Key {
    let hash = digest(&SHA256, [kind, id].concat().as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Seconds until 2106, and stamp versions below four thousand million, are kept as they are. What is
/// beyond is kept as the greatest: it is never forgotten, and ends every known version.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Nothing that holds these locks panics halfway.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
