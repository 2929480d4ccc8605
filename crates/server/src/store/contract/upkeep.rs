//! Purging, versions, backups.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::SessionId;

use super::account::factor;
use super::fixtures::*;
use crate::store::{
    EventFilter, FactorKind, KeyPurpose, KeyRecord, Profile, Reason, Recent, SessionFilter, SignIn,
    StatusIndex, Store, StoreError, TABLES, Target, UserChange,
};
use crate::time::Timestamp;

pub(crate) async fn purge_removes_only_what_is_past(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let old = world.start(T0).await;
    let young = world.start(at(1)).await;
    world.revoke(&Target::Token("old".to_owned()), Reason::Operator, T0).await;
    world.revoke(&Target::Token("young".to_owned()), Reason::Operator, at(1)).await;
    let events = EventFilter::default();
    assert_eq!(world.store.events(&events, &all()).await.unwrap().len(), 4);

    // Nothing is past yet.
    let earlier = Timestamp(keep(T0).0 - 1);
    assert_eq!(world.store.purge(earlier, T0, 100).await.unwrap(), 0);
    // One entry of the log; events by their own date.
    assert_eq!(world.store.purge(keep(T0), at(1), 100).await.unwrap(), 1 + 2);
    let log = world.store.revocations(0, 10, T0).await.unwrap();
    assert_eq!(log.iter().map(|e| e.number).collect::<Vec<_>>(), [2]);
    // Sessions go at their absolute expiry, idle or ended as they may be.
    world.revoke(&Target::Session(young.session.id), Reason::Operator, at(2)).await;
    let expiry = old.session.expires_at;
    assert_eq!(world.store.purge(Timestamp(expiry.0 - 1), T0, 100).await.unwrap(), 2);
    assert!(world.store.standing(old.session.id).await.unwrap().is_some());
    assert_eq!(world.store.purge(expiry, T0, 100).await.unwrap(), 1);
    assert!(world.store.standing(old.session.id).await.unwrap().is_none());
    assert!(world.store.standing(young.session.id).await.unwrap().is_some());
    // Numbers go on where they were.
    assert_eq!(world.store.position().await.unwrap(), 3);
    let next = world.revoke(&Target::Everything, Reason::Operator, expiry).await;
    assert_eq!(next.number, Some(4));
}

pub(crate) async fn purge_is_done_in_steps(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for n in 0..5 {
        world.start(at(n)).await;
    }
    for n in 0..5 {
        world.revoke(&Target::Token(n.to_string()), Reason::Operator, T0).await;
    }
    let late = at(10).plus(ABSOLUTE);
    let mut steps = Vec::new();
    loop {
        let removed = world.store.purge(late, late, 4).await.unwrap();
        steps.push(removed);
        if removed == 0 {
            break;
        }
    }
    // Five sessions, five entries, ten events.
    assert_eq!(steps, [4, 4, 4, 4, 4, 0]);
    assert!(world.store.sessions(&SessionFilter::default(), &all(), T0).await.unwrap().is_empty());
    assert!(world.store.events(&EventFilter::default(), &all()).await.unwrap().is_empty());
}

pub(crate) async fn versions_move(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut seen = world.store.version().await.unwrap();
    let mut moved = async |what: &str| {
        let now = world.store.version().await.unwrap();
        assert!(now > seen, "{what} did not move the version");
        seen = now;
    };
    let (id, revision) = (&world.client.id, world.client.revision);
    add_client(&world.store, client_named("other")).await;
    moved("adding a client").await;
    assert!(world.store.replace_client(&world.client, revision).await.unwrap());
    moved("replacing a client").await;
    world.store.set_client_enabled(id, false, T0, keep(T0)).await.unwrap();
    moved("disabling a client").await;
    world.store.set_client_enabled(id, true, T0, keep(T0)).await.unwrap();
    moved("enabling a client").await;
    world.store.remove_client(id, T0, keep(T0)).await.unwrap();
    moved("removing a client").await;
    let resource = resource_named("https://api.example", "a");
    world.store.replace_resource(&resource).await.unwrap();
    moved("adding a resource").await;
    world.store.replace_resource(&resource).await.unwrap();
    moved("replacing a resource").await;
    world.store.remove_resource(&resource.audience).await.unwrap();
    moved("removing a resource").await;
    let key = KeyRecord {
        id: "k".to_owned(),
        purpose: KeyPurpose::Internal,
        number: 1,
        created_at: T0,
        active_at: T0,
        expires_at: None,
        sealed: vec![1],
    };
    world.store.add_key(&key).await.unwrap();
    moved("adding a key").await;
    world.store.retire_key("k", at(1)).await.unwrap();
    moved("retiring a key").await;
    world.store.remove_expired_keys(at(2)).await.unwrap();
    moved("removing a key").await;
    world.revoke(&Target::Token("a".to_owned()), Reason::Operator, T0).await;
    moved("a revocation").await;
    world.store.change_user(world.user.id, &UserChange::SignOut, T0, keep(T0)).await.unwrap();
    moved("signing out").await;
    world.store.begin_epoch(T0, keep(T0)).await.unwrap();
    moved("an epoch").await;
}

pub(crate) async fn a_ping_answers(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
    assert!(!store.engine().is_empty());
}

pub(crate) async fn a_change_is_waited_for_no_longer_than_asked(store: Arc<dyn Store>) {
    store.changed(Duration::from_millis(1)).await;
}

/// Something in every table, with every column set in some row.
async fn fill(store: &Arc<dyn Store>) -> World {
    let mut user = user_named("ada");
    user.tenant = Some("acme".to_owned());
    user.password_hash = Some("$argon2id$x".to_owned());
    let user = add_user(store, user).await;
    let bob = add_user(store, user_named("bob")).await;
    let mut client = client_named("web");
    client.tenant = Some("acme".to_owned());
    let client = add_client(store, client).await;
    let world = World { store: store.clone(), user, client };
    world.revoke(&Target::Tenant("acme".to_owned()), Reason::Operator, T0).await;
    let mut new = new_session(world.user.id, &world.client, T0);
    new.device = Some("phone".to_owned());
    new.network = Some("192.0.2.0/24".to_owned());
    new.agent = Some("Browser".to_owned());
    new.acr = Some("high".to_owned());
    new.remember = true;
    new.status_positions = vec![77];
    let browser = world.browse(T0).await;
    let ticket = world.code(T0).await.hash;
    new.sign_in = Some(SignIn { ticket, browser: browser.session.id, ends_with_browser: true });
    let start = world.start_as(&new).await;
    let mut rotate = rotation_of(&start.session, world.client.revision, at(1_000));
    rotate.retry_hash = Some([3; 16]);
    let current = world.store.rotate(&rotate).await.unwrap().unwrap();
    let replay = replay_of(&current.session, world.client.revision, at(2_000));
    world.store.replay(&replay).await.unwrap().unwrap();
    let second = world.start(at(1)).await;
    world.revoke(&Target::Session(second.session.id), Reason::Reuse, at(2)).await;
    world.revoke(&Target::Token("a-jti".to_owned()), Reason::Leaked, at(2)).await;
    world.revoke(&Target::User(bob.id), Reason::SignOut, at(2)).await;
    let gone = world.browse(at(3)).await.session.id;
    world.store.end_browser_session(gone, Reason::Person, at(4), keep(at(4))).await.unwrap();
    let mut bobs = world.clone();
    bobs.user = bob;
    let mut used = factor(&bobs, FactorKind::Totp, T0);
    used.used_at = Some(at(1));
    let add = UserChange::AddFactors(vec![used, factor(&bobs, FactorKind::Recovery, T0)]);
    store.change_user(bobs.user.id, &add, at(2), keep(at(2))).await.unwrap();
    for (user, client) in [(&world.user, "web"), (&world.user, "app"), (&bobs.user, "web")] {
        let scope = "read".parse().unwrap();
        store.grant_consent(user.id, &client.parse().unwrap(), &scope, T0).await.unwrap();
    }
    let key = KeyRecord {
        id: "k".to_owned(),
        purpose: KeyPurpose::Refresh,
        number: 1,
        created_at: T0,
        active_at: at(1),
        expires_at: Some(at(2)),
        sealed: vec![0, 127, 255],
    };
    world.store.add_key(&key).await.unwrap();
    store.replace_resource(&resource_named("https://api.example", "a")).await.unwrap();
    world
}

async fn export_all(store: &Arc<dyn Store>, table: &str, limit: u32) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    loop {
        let part = store.export(table, rows.len() as u64, limit).await.unwrap();
        if part.is_empty() {
            return rows;
        }
        rows.extend(part);
    }
}

pub(crate) async fn export_is_in_pages(store: Arc<dyn Store>) {
    fill(&store).await;
    for table in TABLES {
        let rows = export_all(&store, table.name, 1000).await;
        assert!(!rows.is_empty(), "{} has no row", table.name);
        assert_eq!(export_all(&store, table.name, 1).await, rows);
        for row in &rows {
            let mut names: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            expected.sort_unstable();
            assert_eq!(names, expected);
        }
        for (name, _) in table.columns {
            assert!(rows.iter().any(|r| !r[name].is_null()), "{}.{name} is never set", table.name);
        }
    }
}

pub(crate) async fn unknown_tables_are_refused(store: Arc<dyn Store>) {
    let name = "user; DROP TABLE user";
    assert!(matches!(store.export(name, 0, 1).await, Err(StoreError::Broken(_))));
    assert!(matches!(store.import(name, &[]).await, Err(StoreError::Broken(_))));
    let row = serde_json::json!({ "id": "acme", "cut": 0, "surprise": 1 });
    assert!(matches!(store.import("tenant", &[row]).await, Err(StoreError::Broken(_))));
}

async fn copy(store: &Arc<dyn Store>, other: &Arc<dyn Store>) {
    for table in TABLES {
        other.import(table.name, &export_all(store, table.name, 2).await).await.unwrap();
    }
}

pub(crate) async fn an_export_can_be_imported(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    let world = fill(&store).await;
    copy(&store, &other).await;
    for table in TABLES {
        assert_eq!(
            export_all(&store, table.name, 1000).await,
            export_all(&other, table.name, 1000).await,
            "{}",
            table.name
        );
    }
    assert_eq!(other.position().await.unwrap(), store.position().await.unwrap());
    assert_eq!(other.version().await.unwrap(), store.version().await.unwrap());
    assert_eq!(other.user(world.user.id).await.unwrap(), store.user(world.user.id).await.unwrap());
    assert_eq!(other.keys().await.unwrap(), store.keys().await.unwrap());
    assert_eq!(other.resources(&all()).await.unwrap(), store.resources(&all()).await.unwrap());
    assert_eq!(other.consents(world.user.id).await.unwrap(), store.consents(world.user.id).await.unwrap());
    assert_eq!(other.places(world.user.id).await.unwrap(), store.places(world.user.id).await.unwrap());
    let browsers = store.browser_sessions(world.user.id, at(5)).await.unwrap();
    assert_eq!(browsers.len(), 1);
    assert_eq!(other.browser_sessions(world.user.id, at(5)).await.unwrap(), browsers);
}

/// A backup made before there was signing in has neither its tables nor its columns, nor what came
/// later.
pub(crate) async fn a_backup_without_sign_ins_can_be_imported(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    let world = fill(&store).await;
    let later = ["browser_session", "place", "consent", "factor", "resource"];
    for table in TABLES.iter().filter(|table| !later.contains(&table.name)) {
        let mut rows = export_all(&store, table.name, 1000).await;
        for row in &mut rows {
            let row = row.as_object_mut().unwrap();
            let later = ["browser", "profile", "status_index", "status_list"];
            row.retain(|name, _| !later.contains(&name.as_str()));
        }
        other.import(table.name, &rows).await.unwrap();
    }
    let user = other.user(world.user.id).await.unwrap().unwrap();
    assert_eq!(user.profile, Profile::default());
    let sessions = other.sessions(&SessionFilter::default(), &all(), T0).await.unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|s| s.session.browser.is_none() && s.session.status_index.is_none()));
    // Status lists begin where they begin in a new store.
    let mut new = new_session(world.user.id, &world.client, T0);
    new.status_positions = vec![77];
    let started = World { store: other, ..world }.start_as(&new).await;
    assert_eq!(started.session.status_index, Some(StatusIndex::new(0, 77)));
}

/// The other store is as good as the first: a session is refreshed there, numbers go on.
pub(crate) async fn an_import_goes_on_where_it_was(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    let mut world = fill(&store).await;
    copy(&store, &other).await;
    let position = store.position().await.unwrap();
    world.store = other;
    let filter = SessionFilter { live: Some(true), ..SessionFilter::default() };
    let live = world.store.sessions(&filter, &all(), at(3_000)).await.unwrap();
    assert_eq!(live.len(), 1);
    let next = world.rotate(&live[0], at(3_000)).await.unwrap();
    assert_eq!(next.session.generation, 3);
    assert_eq!(next.session.recent[0], Recent { at: at(3_000), context: HERE });

    let newest = world.store.events(&EventFilter::default(), &all()).await.unwrap()[0].number;
    let receipt = world.revoke(&Target::Everything, Reason::Operator, at(4_000)).await;
    assert_eq!(receipt.number, Some(position + 1));
    let events = world.store.events(&EventFilter::default(), &all()).await.unwrap();
    assert!(events[0].number > newest);
}

/// A backup has sessions before what can end them.
pub(crate) async fn tables_can_be_imported_in_any_order(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    let mut world = fill(&store).await;
    for table in TABLES.iter().rev() {
        other.import(table.name, &export_all(&store, table.name, 2).await).await.unwrap();
    }
    let filter = SessionFilter { live: Some(true), ..SessionFilter::default() };
    let live = store.sessions(&filter, &all(), at(3_000)).await.unwrap();
    assert_eq!(other.sessions(&filter, &all(), at(3_000)).await.unwrap(), live);
    assert_eq!(live.len(), 1);
    world.store = other;
    assert!(world.rotate(&live[0], at(3_000)).await.is_some());
}

/// Sessions whose ids differ in some random bits alone are as much apart as any others, where they
/// began and where they were imported.
pub(crate) async fn sessions_of_nearly_one_id_are_told_apart(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    let id = |n: u128| SessionId(uuid::Uuid::from_u128(0x0190_a0a0_0001_7000_8000_0000_0000_0009 | n << 40));
    let mut world = World::new(store.clone()).await;
    let mut sessions = Vec::new();
    for n in 0..4 {
        let mut new = new_session(world.user.id, &world.client, T0);
        new.id = id(n.into());
        new.nonce_hash = [n; 32];
        sessions.push(world.start_as(&new).await);
    }
    copy(&store, &other).await;
    for store in [store, other] {
        world.store = store;
        let listed = world.store.sessions(&SessionFilter::default(), &all(), at(1)).await.unwrap();
        assert_eq!(listed.into_iter().rev().collect::<Vec<_>>(), sessions);
        for (n, start) in (0..).zip(&sessions) {
            assert_eq!(world.standing(start).await, *start);
            let mut current = start.clone();
            for generation in 0..=n {
                current = world.rotate(&current, at(2)).await.unwrap();
                assert_eq!(current.session.generation, generation + 2);
                assert_eq!(current.session.nonce_hash, start.session.nonce_hash);
            }
            assert!(world.rotate(start, at(2)).await.is_none());
            let replay = replay_of(&current.session, world.client.revision, at(3));
            world.store.replay(&replay).await.unwrap().unwrap();
            assert_eq!(world.standing(start).await.session.replays, 1);
        }
        world.revoke(&Target::Session(sessions[1].session.id), Reason::Operator, at(4)).await;
        for (n, start) in (0..).zip(&sessions) {
            let now = world.standing(start).await.session;
            assert_eq!((now.generation, now.ended.is_some()), (n + 2, n == 1));
        }
        // An id like theirs that no session has.
        assert!(world.store.standing(id(5)).await.unwrap().is_none());
        // A second session of an id is none.
        let again = export_all(&world.store, "session", 1).await;
        assert!(world.store.import("session", &again[2..3]).await.is_err());
        let late = at(10).plus(ABSOLUTE);
        assert_eq!(world.store.purge(late, T0, 3).await.unwrap(), 3);
        assert_eq!(world.store.sessions(&SessionFilter::default(), &all(), at(5)).await.unwrap().len(), 1);
    }
}
