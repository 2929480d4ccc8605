//! Starting sessions, and what ends them of itself.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{SessionId, UserId};

use super::fixtures::*;
use crate::entropy;
use crate::store::{
    Ended, EventFilter, EventKind, Lockstep, Reason, Recent, StartRefusal, Started, Store, Target, UserChange,
};

pub(crate) async fn a_session_starts_as_asked(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(at(5_000)).await;
    let session = &start.session;
    assert_eq!((session.generation, session.key_number, session.retry_hash), (1, 1, None));
    assert_eq!((session.user_stamp, session.born, start.position), (1, 0, 0));
    assert_eq!((session.created_at, session.rotated_at), (at(5_000), at(5_000)));
    assert_eq!(session.idle_expires_at, at(5_000).plus(IDLE));
    assert_eq!(session.expires_at, at(5_000).plus(ABSOLUTE));
    assert_eq!(session.recent, vec![Recent { at: at(5_000), context: HERE }]);
    assert_eq!((session.replays, session.lockstep, session.ended), (0, Lockstep::default(), None));
    assert!(start.gates.client_enabled && start.gates.user_enabled);
    assert_eq!((start.gates.client_revision, start.gates.user_stamp, start.gates.cut), (1, 1, 0));
    assert!(start.is_live(at(5_000)));
    assert_eq!(world.standing(&start).await, start);

    let events = world.store.events(&EventFilter::default(), &all()).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind, events[0].at), (EventKind::Start, at(5_000)));
    assert_eq!(events[0].session, Some(session.id));
    assert_eq!(events[0].user, Some(world.user.id));
    assert_eq!(events[0].client, Some(world.client_id()));
}

pub(crate) async fn all_fields_survive(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut new = new_session(world.user.id, &world.client, T0);
    new.audience = vec!["https://b.example".to_owned(), "https://a.example".to_owned()];
    new.scope = "write".parse().unwrap();
    new.device = Some("Ada's “phone” \u{1f4f1}".to_owned());
    new.network = Some("192.0.2.0/24".to_owned());
    new.agent = Some("Browser/1 'quoted'".to_owned());
    new.remember = true;
    new.auth_time = at(-7_000);
    new.acr = Some("urn:example:high".to_owned());
    new.amr = vec!["pwd".to_owned(), "otp".to_owned()];
    new.nonce_hash = std::array::from_fn(|i| i as u8);
    new.key_number = 255;
    new.idle_lifetime = Duration::from_millis(1_234_567);
    let session = world.start_as(&new).await.session;
    assert_eq!((session.user, session.client), (new.user, new.client));
    assert_eq!((session.scope, session.audience), (new.scope, new.audience));
    assert_eq!((session.device, session.network, session.agent), (new.device, new.network, new.agent));
    assert_eq!((session.remember, session.auth_time), (true, new.auth_time));
    assert_eq!((session.acr, session.amr), (new.acr, new.amr));
    assert_eq!((session.nonce_hash, session.key_number), (new.nonce_hash, 255));
    assert_eq!(session.idle_lifetime, new.idle_lifetime);
}

pub(crate) async fn starting_needs_its_gates(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let good = new_session(world.user.id, &world.client, T0);
    let refused = async |new| match world.store.start_session(new).await.unwrap() {
        Started::Refused(why) => why,
        Started::Session { .. } => panic!("it started"),
    };

    let mut no_user = good.clone();
    no_user.user = UserId(entropy::uuid_v7(T0));
    assert_eq!(refused(&no_user).await, StartRefusal::User);
    let mut no_client = good.clone();
    no_client.client = "nobody".parse().unwrap();
    assert_eq!(refused(&no_client).await, StartRefusal::Client);
    let mut stale = good.clone();
    stale.client_revision += 1;
    assert_eq!(refused(&stale).await, StartRefusal::Client);

    world.store.change_user(world.user.id, &UserChange::Disable, T0, keep(T0)).await.unwrap();
    assert_eq!(refused(&good).await, StartRefusal::User);
    world.store.change_user(world.user.id, &UserChange::Enable, T0, keep(T0)).await.unwrap();
    world.store.set_client_enabled(&world.client.id, false, T0, keep(T0)).await.unwrap();
    let client = world.store.client(&world.client.id).await.unwrap().unwrap();
    assert_eq!(refused(&new_session(world.user.id, &client, T0)).await, StartRefusal::Client);
    assert!(world.store.sessions(&Default::default(), &all(), T0).await.unwrap().is_empty());
}

pub(crate) async fn the_tenant_must_match(store: Arc<dyn Store>) {
    let mut acme = user_named("ada");
    acme.tenant = Some("acme".to_owned());
    let acme = add_user(&store, acme).await;
    let nobody = add_user(&store, user_named("bob")).await;
    let mut client = client_named("acme-app");
    client.tenant = Some("acme".to_owned());
    let client = add_client(&store, client).await;
    let open = add_client(&store, client_named("open")).await;
    for (user, client, expected) in [
        (&acme, &client, None),
        (&acme, &open, None),
        (&nobody, &open, None),
        (&nobody, &client, Some(StartRefusal::Tenant)),
    ] {
        let refusal = match store.start_session(&new_session(user.id, client, T0)).await.unwrap() {
            Started::Refused(why) => Some(why),
            Started::Session { .. } => None,
        };
        assert_eq!(refusal, expected);
    }
}

pub(crate) async fn the_limit_ends_the_oldest(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = world.start(at(0)).await;
    let second = world.start(at(10)).await;
    let third = world.start(at(20)).await;
    // Another user's sessions do not count.
    let bob = add_user(&world.store, user_named("bob")).await;
    let bobs = world.start_as(&new_session(bob.id, &world.client, at(0))).await;

    let mut new = new_session(world.user.id, &world.client, at(30));
    new.limit = 2;
    let Started::Session { standing, displaced } = world.store.start_session(&new).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(displaced, [first.session.id, second.session.id]);
    let ended = Some(Ended { at: at(30), reason: Reason::SessionLimit });
    assert_eq!(world.standing(&first).await.session.ended, ended);
    assert!(world.is_live(&third, at(30)).await);
    assert!(world.is_live(&bobs, at(30)).await);
    assert!(world.is_live(&standing, at(30)).await);

    let log = world.store.revocations(0, 10, at(30)).await.unwrap();
    assert_eq!(log.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(log[0].target, Target::Session(first.session.id));
    assert_eq!(log[0].reason, Reason::SessionLimit);
    assert_eq!(log[0].expires_at, keep(at(30)));
    let filter = EventFilter { session: Some(first.session.id), ..EventFilter::default() };
    let events = world.store.events(&filter, &all()).await.unwrap();
    assert_eq!(events.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::Start, EventKind::End]);
    // Born at the log's newest number, its own displacements included or not: live either way.
    assert!(standing.session.born <= standing.position);
}

pub(crate) async fn the_limit_counts_live_ones_only(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = world.start(at(0)).await;
    let second = world.start(at(10)).await;
    world.revoke(&Target::Session(second.session.id), Reason::Operator, at(15)).await;
    let mut new = new_session(world.user.id, &world.client, at(20));
    new.limit = 2;
    let Started::Session { displaced, .. } = world.store.start_session(&new).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(displaced, []);
    assert!(world.is_live(&first, at(20)).await);

    // When all have expired, none is displaced.
    let late = T0.plus(ABSOLUTE * 2);
    let mut new = new_session(world.user.id, &world.client, late);
    new.limit = 1;
    let Started::Session { displaced, .. } = world.store.start_session(&new).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(displaced, []);
}

/// S6: the end is for ever, and the first reason stays.
pub(crate) async fn ended_is_terminal(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    world.revoke(&Target::Session(start.session.id), Reason::Reuse, at(1)).await;
    world.revoke(&Target::Session(start.session.id), Reason::Operator, at(2)).await;
    world.store.change_user(world.user.id, &UserChange::Disable, at(3), keep(at(3))).await.unwrap();
    world.store.change_user(world.user.id, &UserChange::Enable, at(4), keep(at(4))).await.unwrap();
    let stands = world.standing(&start).await;
    assert_eq!(stands.session.ended, Some(Ended { at: at(1), reason: Reason::Reuse }));
    assert_eq!(stands.session.generation, 1);
    assert_eq!(world.rotate(&start, at(5)).await, None);
}

pub(crate) async fn network_is_noted(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    world.store.note_network(start.session.id, "198.51.100.0/24", "Browser/2", at(9)).await.unwrap();
    let after = world.standing(&start).await;
    let mut expected = start.clone();
    expected.session.network = Some("198.51.100.0/24".to_owned());
    expected.session.agent = Some("Browser/2".to_owned());
    assert_eq!(after, expected);
    let filter = EventFilter { session: Some(start.session.id), ..EventFilter::default() };
    let events = world.store.events(&filter, &all()).await.unwrap();
    assert_eq!(events[1].kind, EventKind::Network);
    assert!(events[1].detail.contains("198.51.100.0/24"));
    // Of a session that is gone, nothing is noted.
    let gone = SessionId(entropy::uuid_v7(T0));
    world.store.note_network(gone, "198.51.100.0/24", "Browser/2", at(9)).await.unwrap();
    assert_eq!(world.store.events(&EventFilter::default(), &all()).await.unwrap().len(), 2);
}

pub(crate) async fn standing_of_nothing_is_none(store: Arc<dyn Store>) {
    assert_eq!(store.standing(SessionId(entropy::uuid_v7(T0))).await.unwrap(), None);
}
