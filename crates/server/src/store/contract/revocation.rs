//! Ending things: the log, the receipts, and what a verifier is told.

use std::sync::Arc;

use countersign_wire::{SessionId, UserId};

use super::fixtures::*;
use crate::entropy;
use crate::store::{
    Ended, EventFilter, EventKind, Liveness, LivenessQuery, Reason, Receipt, SessionFilter, Standing, Store,
    Target, UserChange,
};
use crate::time::Timestamp;

const NOTHING: Receipt = Receipt { sessions_ended: 0, number: None };

/// A world of two users (one of a tenant) and two clients, with a session of each at each.
struct Crowd {
    world: World,
    sessions: Vec<Standing>,
}

impl Crowd {
    async fn new(store: Arc<dyn Store>) -> Self {
        let world = World::new(store).await;
        let mut bob = user_named("bob");
        bob.tenant = Some("acme".to_owned());
        let bob = add_user(&world.store, bob).await;
        let other = add_client(&world.store, client_named("other")).await;
        let mut sessions = Vec::new();
        for (user, client) in [
            (world.user.id, &world.client),
            (world.user.id, &other),
            (bob.id, &world.client),
            (bob.id, &other),
        ] {
            sessions.push(world.start_as(&new_session(user, client, T0)).await);
        }
        Self { world, sessions }
    }

    /// Which of the four sessions live.
    async fn live(&self, now: Timestamp) -> Vec<bool> {
        let mut live = Vec::new();
        for session in &self.sessions {
            live.push(self.world.is_live(session, now).await);
        }
        live
    }

    /// Revokes, and checks receipt, preview, log and events.
    async fn end(&self, target: Target, ended: u64) {
        let number = self.world.store.position().await.unwrap() + 1;
        let version = self.world.store.version().await.unwrap();
        let preview = self.world.store.preview(&target, at(1)).await.unwrap();
        assert_eq!(preview, Receipt { sessions_ended: ended, number: None });
        let receipt = self.world.revoke(&target, Reason::Operator, at(1)).await;
        assert_eq!(receipt, Receipt { sessions_ended: ended, number: Some(number) });
        let entry = self.world.store.revocations(number - 1, 10, at(1)).await.unwrap().remove(0);
        assert_eq!((entry.number, entry.at, entry.expires_at), (number, at(1), keep(at(1))));
        assert_eq!((&entry.target, entry.reason), (&target, Reason::Operator));
        assert_eq!(entry.stamp.is_some(), matches!(target, Target::User(_)));
        assert_eq!(self.world.store.position().await.unwrap(), number);
        assert!(self.world.store.version().await.unwrap() > version);
        let filter = EventFilter { kind: Some(EventKind::End), ..EventFilter::default() };
        let event = self.world.store.events(&filter, &all()).await.unwrap().remove(0);
        assert_eq!((event.at, event.detail), (at(1), target.detail(Reason::Operator)));
        match target {
            Target::Session(id) => assert_eq!(event.session, Some(id)),
            Target::User(id) => assert_eq!(event.user, Some(id)),
            Target::Client(id) => assert_eq!(event.client, Some(id)),
            _ => assert_eq!((event.session, event.user, event.client), (None, None, None)),
        }
    }

    /// After the end, new sessions of the same users and clients live.
    async fn new_ones_live(&self) {
        for old in &self.sessions {
            let client = self.world.store.client(&old.session.client).await.unwrap().unwrap();
            let new = self.world.start_as(&new_session(old.session.user, &client, at(2))).await;
            assert!(new.is_live(at(2)));
            let rotated = self.world.store.rotate(&rotation_of(&new.session, client.revision, at(3))).await;
            assert!(rotated.unwrap().is_some());
        }
    }
}

pub(crate) async fn revoking_a_session(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    let id = crowd.sessions[0].session.id;
    crowd.end(Target::Session(id), 1).await;
    assert_eq!(crowd.live(at(2)).await, [false, true, true, true]);
    let ended = crowd.world.standing(&crowd.sessions[0]).await.session.ended;
    assert_eq!(ended, Some(Ended { at: at(1), reason: Reason::Operator }));
    // What has ended is not ended again.
    let again = crowd.world.revoke(&Target::Session(id), Reason::Operator, at(2)).await;
    assert_eq!(again, NOTHING);
    assert_eq!(crowd.world.store.position().await.unwrap(), 1);
}

pub(crate) async fn revoking_a_user(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    crowd.end(Target::User(crowd.world.user.id), 2).await;
    assert_eq!(crowd.live(at(2)).await, [false, false, true, true]);
    let user = crowd.world.store.user(crowd.world.user.id).await.unwrap().unwrap();
    assert_eq!(user.stamp, crowd.world.user.stamp + 1);
    let entry = crowd.world.store.revocations(0, 1, at(1)).await.unwrap().remove(0);
    assert_eq!(entry.stamp, Some(user.stamp));
    assert_eq!(crowd.world.rotate(&crowd.sessions[0], at(2)).await, None);
    crowd.new_ones_live().await;
}

pub(crate) async fn revoking_a_client(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    crowd.end(Target::Client(crowd.world.client_id()), 2).await;
    assert_eq!(crowd.live(at(2)).await, [false, true, false, true]);
    assert_eq!(crowd.world.rotate(&crowd.sessions[0], at(2)).await, None);
    // Its settings are as they were.
    let client = crowd.world.store.client(&crowd.world.client.id).await.unwrap().unwrap();
    assert_eq!((client.enabled, client.revision, client.cut), (true, crowd.world.client.revision, 1));
    crowd.new_ones_live().await;
}

pub(crate) async fn revoking_a_tenant(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    crowd.end(Target::Tenant("acme".to_owned()), 2).await;
    assert_eq!(crowd.live(at(2)).await, [true, true, false, false]);
    assert_eq!(crowd.world.rotate(&crowd.sessions[2], at(2)).await, None);
    assert!(crowd.world.rotate(&crowd.sessions[0], at(2)).await.is_some());
    crowd.new_ones_live().await;
    crowd.end(Target::Tenant("acme".to_owned()), 2).await;
}

pub(crate) async fn revoking_everything(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    crowd.end(Target::Everything, 4).await;
    assert_eq!(crowd.live(at(2)).await, [false; 4]);
    assert_eq!(crowd.world.rotate(&crowd.sessions[0], at(2)).await, None);
    crowd.new_ones_live().await;
}

pub(crate) async fn revoking_a_token(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    crowd.end(Target::Token("jti-1".to_owned()), 0).await;
    assert_eq!(crowd.live(at(2)).await, [true; 4]);
    let again = crowd.world.revoke(&Target::Token("jti-1".to_owned()), Reason::Leaked, at(2)).await;
    assert_eq!(again, NOTHING);
    crowd.end(Target::Token("jti-2".to_owned()), 0).await;
}

pub(crate) async fn revoking_what_is_not_there(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for target in [
        Target::Session(SessionId(entropy::uuid_v7(T0))),
        Target::User(UserId(entropy::uuid_v7(T0))),
        Target::Client("nobody".parse().unwrap()),
    ] {
        assert_eq!(world.store.preview(&target, T0).await.unwrap(), NOTHING);
        assert_eq!(world.revoke(&target, Reason::Operator, T0).await, NOTHING);
    }
    assert_eq!(world.store.position().await.unwrap(), 0);
    assert!(world.store.events(&EventFilter::default(), &all()).await.unwrap().is_empty());
}

pub(crate) async fn a_reuse_is_told_before_the_end(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for reason in [Reason::Reuse, Reason::Lockstep] {
        let id = world.start(T0).await.session.id;
        world.revoke(&Target::Session(id), reason, at(1)).await;
        let filter = EventFilter { session: Some(id), ..EventFilter::default() };
        let events = world.store.events(&filter, &all()).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [EventKind::Start, EventKind::Reuse, EventKind::End]);
        assert!(events[1..].iter().all(|e| e.detail == reason.sentence() && e.at == at(1)));
        assert!(events.iter().all(|e| e.user == Some(world.user.id) && e.client == Some(world.client_id())));
    }
}

pub(crate) async fn previews_change_nothing(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    let version = crowd.world.store.version().await.unwrap();
    let events = crowd.world.store.events(&EventFilter::default(), &all()).await.unwrap();
    for target in [
        Target::Token("jti".to_owned()),
        Target::Session(crowd.sessions[0].session.id),
        Target::User(crowd.world.user.id),
        Target::Client(crowd.world.client_id()),
        Target::Tenant("acme".to_owned()),
        Target::Everything,
    ] {
        crowd.world.store.preview(&target, at(1)).await.unwrap();
    }
    assert_eq!(crowd.live(at(2)).await, [true; 4]);
    assert_eq!(crowd.world.store.position().await.unwrap(), 0);
    assert_eq!(crowd.world.store.version().await.unwrap(), version);
    assert_eq!(crowd.world.store.events(&EventFilter::default(), &all()).await.unwrap(), events);
}

/// Sessions that had ended in any other way are not counted.
pub(crate) async fn receipts_count_live_sessions(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    let world = &crowd.world;
    world.revoke(&Target::Session(crowd.sessions[0].session.id), Reason::Operator, at(1)).await;
    crowd.end(Target::Client(world.client_id()), 1).await;
    crowd.end(Target::User(world.user.id), 1).await;
    crowd.end(Target::Everything, 1).await;
    crowd.end(Target::Everything, 0).await;
    // The row of a session that its user's stamp ended can still be ended; it counts no more.
    let receipt = world.revoke(&Target::Session(crowd.sessions[1].session.id), Reason::Operator, at(2)).await;
    assert_eq!(receipt.sessions_ended, 0);
    // Expired ones are not alive.
    let start = world.start_as(&new_session(world.user.id, &world.client, at(3))).await;
    let late = start.session.idle_expires_at;
    assert_eq!(world.store.preview(&Target::User(world.user.id), late).await.unwrap().sessions_ended, 0);
    assert_eq!(world.store.preview(&Target::User(world.user.id), at(3)).await.unwrap().sessions_ended, 1);
}

pub(crate) async fn log_entries_are_read_in_pages(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for n in 0..10 {
        world.revoke(&Target::Token(format!("jti-{n}")), Reason::ClientRequest, T0).await;
    }
    let numbers = async |after, limit| {
        let entries = world.store.revocations(after, limit, T0).await.unwrap();
        entries.iter().map(|e| e.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 4).await, [1, 2, 3, 4]);
    assert_eq!(numbers(4, 4).await, [5, 6, 7, 8]);
    assert_eq!(numbers(8, 4).await, [9, 10]);
    assert_eq!(numbers(10, 4).await, [0_u64; 0]);
    assert_eq!(numbers(u64::MAX, 4).await, [0_u64; 0]);
}

pub(crate) async fn log_entries_expire(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.revoke(&Target::Token("a".to_owned()), Reason::ClientRequest, T0).await;
    let last = Timestamp(keep(T0).0 - 1);
    assert_eq!(world.store.revocations(0, 10, last).await.unwrap().len(), 1);
    assert_eq!(world.store.revocations(0, 10, keep(T0)).await.unwrap().len(), 0);
    assert_eq!(world.store.position().await.unwrap(), 1);
}

pub(super) fn query(standing: &Standing) -> LivenessQuery {
    LivenessQuery {
        caller: None,
        session: Some((standing.session.id, standing.session.user_stamp)),
        client: standing.session.client.clone(),
        position: standing.position,
        jti: "a-jti".to_owned(),
    }
}

pub(super) async fn live(store: &Arc<dyn Store>, query: &LivenessQuery) -> bool {
    store.liveness(query).await.unwrap().live
}

pub(crate) async fn liveness_of_a_session_token(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    assert!(live(&world.store, &query(&start)).await);
    // Rotation does not concern access tokens.
    world.rotate(&start, at(1)).await.unwrap();
    assert!(live(&world.store, &query(&start)).await);
    let mut stamp = query(&start);
    stamp.session = Some((start.session.id, start.session.user_stamp + 1));
    assert!(!live(&world.store, &stamp).await);
    let mut unknown = query(&start);
    unknown.session = Some((SessionId(entropy::uuid_v7(T0)), 1));
    assert!(!live(&world.store, &unknown).await);
    // The token's id.
    world.revoke(&Target::Token("a-jti".to_owned()), Reason::ClientRequest, T0).await;
    assert!(!live(&world.store, &query(&start)).await);
    let mut another = query(&start);
    another.jti = "another".to_owned();
    assert!(live(&world.store, &another).await);
    // The session's end.
    world.revoke(&Target::Session(start.session.id), Reason::Operator, T0).await;
    assert!(!live(&world.store, &another).await);
}

/// Whatever an engine knows users by: who comes after a removed user has none of its sessions.
pub(crate) async fn a_removed_users_sessions_are_nobodys(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let bob = add_user(&world.store, user_named("bob")).await;
    let start = world.start_as(&new_session(bob.id, &world.client, T0)).await;
    assert_eq!(start.user.username, bob.username);
    world.store.remove_user(bob.id, at(1), keep(at(1))).await.unwrap().unwrap();
    let eve = add_user(&world.store, user_named("eve")).await;

    let standing = world.standing(&start).await;
    assert_eq!((standing.session.user, standing.user.username.as_str()), (bob.id, ""));
    assert!(!standing.gates.user_enabled && !standing.is_live(at(2)));
    assert!(world.rotate(&start, at(2)).await.is_none());
    assert!(!live(&world.store, &query(&start)).await);
    for target in [Target::User(eve.id), Target::Everything] {
        assert_eq!(world.store.preview(&target, at(2)).await.unwrap().sessions_ended, 0);
    }
    let filter = SessionFilter { user: Some(eve.id), ..SessionFilter::default() };
    assert!(world.store.sessions(&filter, &all(), at(2)).await.unwrap().is_empty());
    let filter = SessionFilter { live: Some(true), ..SessionFilter::default() };
    assert!(world.store.sessions(&filter, &all(), at(2)).await.unwrap().is_empty());
    let eves = world.start_as(&new_session(eve.id, &world.client, at(2))).await;
    assert_eq!(eves.user.username, eve.username);
    assert!(world.rotate(&eves, at(3)).await.is_some());
}

pub(crate) async fn liveness_of_a_client_token(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut service = client_named("service");
    service.tenant = Some("acme".to_owned());
    let service = add_client(&world.store, service).await;
    let token = LivenessQuery {
        caller: None,
        session: None,
        client: service.id.clone(),
        position: 0,
        jti: "a-jti".to_owned(),
    };
    assert!(live(&world.store, &token).await);
    let mut unknown = token.clone();
    unknown.client = "nobody".parse().unwrap();
    assert!(!live(&world.store, &unknown).await);

    let mut position = 0;
    for target in [Target::Client(service.id.clone()), Target::Tenant("acme".to_owned()), Target::Everything]
    {
        let mut before = token.clone();
        before.position = position;
        assert!(live(&world.store, &before).await);
        position = world.revoke(&target, Reason::Operator, T0).await.number.unwrap();
        assert!(!live(&world.store, &before).await);
        before.position = position;
        assert!(live(&world.store, &before).await);
    }
    let mut later = token.clone();
    later.position = position;
    world.revoke(&Target::Token("a-jti".to_owned()), Reason::ClientRequest, T0).await;
    assert!(!live(&world.store, &later).await);
    later.jti = "another".to_owned();
    world.store.set_client_enabled(&service.id, false, T0, keep(T0)).await.unwrap();
    world.store.set_client_enabled(&service.id, true, T0, keep(T0)).await.unwrap();
    assert!(!live(&world.store, &later).await);
}

pub(crate) async fn liveness_of_the_caller(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let api = add_client(&world.store, client_named("api")).await;
    let asked = async |id: &str, revision| {
        let mut query = query(&start);
        query.caller = Some((id.parse().unwrap(), revision));
        world.store.liveness(&query).await.unwrap()
    };
    assert_eq!(asked("api", api.revision).await, Liveness { caller_current: true, live: true });
    assert!(!asked("api", api.revision + 1).await.caller_current);
    assert!(!asked("nobody", 1).await.caller_current);
    world.store.set_client_enabled(&api.id, false, T0, keep(T0)).await.unwrap();
    assert!(!asked("api", api.revision).await.caller_current);
    assert!(!asked("api", api.revision + 1).await.caller_current);
}

pub(crate) async fn liveness_follows_every_cut(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    let store = &crowd.world.store;
    let bobs = &crowd.sessions[3];
    // Whatever outdates the session outdates its tokens, minted however late.
    for target in [
        Target::Client(bobs.session.client.clone()),
        Target::Tenant("acme".to_owned()),
        Target::Everything,
        Target::User(bobs.session.user),
    ] {
        let client = store.client(&bobs.session.client).await.unwrap().unwrap();
        let fresh = crowd.world.start_as(&new_session(bobs.session.user, &client, at(1))).await;
        let token = query(&fresh);
        assert!(live(store, &token).await, "{target:?}");
        crowd.world.revoke(&target, Reason::Operator, at(2)).await;
        assert!(!live(store, &token).await, "{target:?}");
    }
    let client = store.client(&bobs.session.client).await.unwrap().unwrap();
    let fresh = crowd.world.start_as(&new_session(bobs.session.user, &client, at(1))).await;
    store.change_user(bobs.session.user, &UserChange::Disable, at(2), keep(at(2))).await.unwrap();
    assert!(!live(store, &query(&fresh)).await);
    store.change_user(bobs.session.user, &UserChange::Enable, at(2), keep(at(2))).await.unwrap();
    assert!(!live(store, &query(&fresh)).await);
}

pub(crate) async fn client_position_is_gated(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (id, revision) = (&world.client.id, world.client.revision);
    assert_eq!(world.store.client_position(id, revision).await.unwrap(), Some(0));
    world.revoke(&Target::Token("a".to_owned()), Reason::ClientRequest, T0).await;
    assert_eq!(world.store.client_position(id, revision).await.unwrap(), Some(1));
    assert_eq!(world.store.client_position(id, revision + 1).await.unwrap(), None);
    assert_eq!(world.store.client_position(&"nobody".parse().unwrap(), 1).await.unwrap(), None);
    world.store.set_client_enabled(id, false, T0, keep(T0)).await.unwrap();
    let client = world.store.client(id).await.unwrap().unwrap();
    assert_eq!(world.store.client_position(id, client.revision).await.unwrap(), None);
}

pub(crate) async fn an_epoch_ends_all_and_later_ones_live(store: Arc<dyn Store>) {
    let crowd = Crowd::new(store).await;
    let store = &crowd.world.store;
    store.begin_epoch(at(1), keep(at(1))).await.unwrap();
    assert_eq!(crowd.live(at(2)).await, [false; 4]);
    let position = store.position().await.unwrap();
    assert_eq!(position, at(1).0 as u64);
    // A token of the time that the backup does not know of.
    let token = LivenessQuery {
        caller: None,
        session: None,
        client: crowd.world.client_id(),
        position: 1_000_000,
        jti: "a-jti".to_owned(),
    };
    assert!(!live(store, &token).await);
    let log = store.revocations(0, 10, at(1)).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((&log[0].target, log[0].reason), (&Target::Everything, Reason::Restored));
    assert_eq!(log[0].number, position);
    crowd.new_ones_live().await;

    // A clock that was set back does not set the log back.
    store.begin_epoch(T0, keep(T0)).await.unwrap();
    assert_eq!(store.position().await.unwrap(), position + 1);
    let receipt = crowd.world.revoke(&Target::Token("x".to_owned()), Reason::Operator, at(5)).await;
    assert_eq!(receipt.number, Some(position + 2));
}
