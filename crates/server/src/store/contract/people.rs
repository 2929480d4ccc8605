//! Users, clients and keys.

use std::sync::Arc;

use countersign_wire::Algorithm;

use super::fixtures::*;
use crate::store::{
    Added, EventFilter, EventKind, KeyPurpose, KeyRecord, Reason, Receipt, Resource, Started, Store, Target,
    UserChange,
};

pub(crate) async fn users_are_unique(store: Arc<dyn Store>) {
    let mut ada = user_named("ada");
    ada.tenant = Some("acme".to_owned());
    ada.password_hash = Some("$argon2id$x".to_owned());
    add_user(&store, ada.clone()).await;
    assert_eq!(store.user(ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.find_user_by_name("ada").await.unwrap(), Some(ada.clone()));
    assert_eq!(store.find_user_by_name("ADA").await.unwrap(), None);
    assert_eq!(store.add_user(&user_named("ada")).await.unwrap(), Added::Exists);
    let mut same_id = user_named("bob");
    same_id.id = ada.id;
    assert_eq!(store.add_user(&same_id).await.unwrap(), Added::Exists);
    assert_eq!(store.user(ada.id).await.unwrap(), Some(ada));
    assert_eq!(store.find_user_by_name("bob").await.unwrap(), None);
}

pub(crate) async fn user_changes(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let change = async |change: UserChange, ms| {
        world.store.change_user(world.user.id, &change, at(ms), keep(at(ms))).await.unwrap().unwrap()
    };
    let mut expected = world.user.clone();
    for (n, (what, reason)) in [
        (UserChange::Password("$argon2id$new".to_owned()), Reason::PasswordChange),
        (UserChange::SignOut, Reason::SignOut),
        (UserChange::Roles(vec!["reader".to_owned()]), Reason::RoleRemoved),
        (UserChange::Disable, Reason::UserDisabled),
    ]
    .into_iter()
    .enumerate()
    {
        let number = n as u64 + 1;
        let start = world.start(at(n as i64)).await;
        let receipt = change(what.clone(), n as i64).await;
        assert_eq!(receipt, Receipt { sessions_ended: 1, number: Some(number) }, "{what:?}");
        expected.stamp += 1;
        let entry = world.store.revocations(number - 1, 1, T0).await.unwrap().remove(0);
        assert_eq!((entry.target, entry.reason), (Target::User(world.user.id), reason));
        assert_eq!(entry.stamp, Some(expected.stamp));
        assert!(!world.is_live(&start, at(n as i64)).await);
        let events = world.store.events(&EventFilter::default(), &all()).await.unwrap();
        assert_eq!((events[1].kind, events[1].detail.as_str()), (EventKind::Admin, what.detail()));
        assert_eq!((events[0].kind, events[0].detail.as_str()), (EventKind::End, reason.sentence()));
        assert!(events[..2].iter().all(|e| e.user == Some(world.user.id) && e.at == at(n as i64)));
    }
    expected.password_hash = Some("$argon2id$new".to_owned());
    expected.roles = vec!["reader".to_owned()];
    expected.enabled = false;
    assert_eq!(world.store.user(world.user.id).await.unwrap(), Some(expected.clone()));

    // What is so already is not done again, and not told again.
    let told = world.store.events(&EventFilter::default(), &all()).await.unwrap().len();
    let nothing = Receipt { sessions_ended: 0, number: None };
    assert_eq!(change(UserChange::Disable, 10).await, nothing);
    assert_eq!(world.store.user(world.user.id).await.unwrap(), Some(expected));
    assert_eq!(world.store.events(&EventFilter::default(), &all()).await.unwrap().len(), told);
    assert_eq!(change(UserChange::Enable, 11).await, nothing);
    assert_eq!(world.store.events(&EventFilter::default(), &all()).await.unwrap().len(), told + 1);
    assert_eq!(world.store.position().await.unwrap(), 4);

    let nobody = user_named("nobody").id;
    assert_eq!(world.store.change_user(nobody, &UserChange::SignOut, T0, keep(T0)).await.unwrap(), None);
}

pub(crate) async fn disable_and_enable_never_revive(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    for change in [UserChange::Disable, UserChange::Enable] {
        world.store.change_user(world.user.id, &change, at(1), keep(at(1))).await.unwrap();
    }
    assert_eq!(world.rotate(&start, at(2)).await, None);
    assert!(!world.is_live(&start, at(2)).await);
    let fresh = world.start(at(2)).await;
    assert!(world.rotate(&fresh, at(3)).await.is_some());
}

pub(crate) async fn roles_end_sessions_only_when_removed(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let wider = vec!["editor".to_owned(), "owner".to_owned(), "reader".to_owned()];
    let change = UserChange::Roles(wider.clone());
    let receipt = world.store.change_user(world.user.id, &change, at(1), keep(at(1))).await.unwrap();
    assert_eq!(receipt, Some(Receipt { sessions_ended: 0, number: None }));
    let after = world.rotate(&start, at(2)).await.unwrap();
    assert_eq!(after.user.roles, wider);
    assert_eq!(world.store.position().await.unwrap(), 0);
    // One for another: something is taken away.
    let other = UserChange::Roles(vec!["editor".to_owned(), "owner".to_owned(), "writer".to_owned()]);
    let receipt = world.store.change_user(world.user.id, &other, at(3), keep(at(3))).await.unwrap();
    assert_eq!(receipt, Some(Receipt { sessions_ended: 1, number: Some(1) }));
    assert_eq!(world.rotate(&after, at(4)).await, None);
}

pub(crate) async fn clients_are_unique(store: Arc<dyn Store>) {
    let web = client_named("web");
    assert_eq!(store.add_client(&web).await.unwrap(), Added::Yes);
    assert_eq!(store.client(&web.id).await.unwrap(), Some(web.clone()));
    let mut second = client_named("web");
    second.settings.public = false;
    assert_eq!(store.add_client(&second).await.unwrap(), Added::Exists);
    assert_eq!(store.client(&web.id).await.unwrap(), Some(web));
    // Ids are told apart by case.
    assert_eq!(store.add_client(&client_named("Web")).await.unwrap(), Added::Yes);
    assert_eq!(store.client(&"wEb".parse().unwrap()).await.unwrap(), None);
}

/// A replacement is of the settings and the secrets; the gates are not its business.
pub(crate) async fn client_replacement_is_conditional(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.revoke(&Target::Client(world.client_id()), Reason::Operator, T0).await;
    let mut changed = world.client.clone();
    changed.settings.overlap_ms = 1;
    changed.cut = 0;
    changed.enabled = false;
    assert!(!world.store.replace_client(&changed, world.client.revision + 1).await.unwrap());
    assert!(world.store.replace_client(&changed, world.client.revision).await.unwrap());
    assert!(!world.store.replace_client(&changed, world.client.revision).await.unwrap());
    let stored = world.store.client(&world.client.id).await.unwrap().unwrap();
    assert_eq!(stored.settings, changed.settings);
    assert_eq!((stored.revision, stored.enabled, stored.cut), (world.client.revision + 1, true, 1));
    let mut nobody = changed.clone();
    nobody.id = "nobody".parse().unwrap();
    assert!(!world.store.replace_client(&nobody, 1).await.unwrap());
}

pub(crate) async fn client_disable_and_enable_never_revive(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let id = &world.client.id;
    let disabled = world.store.set_client_enabled(id, false, at(1), keep(at(1))).await.unwrap();
    assert_eq!(disabled, Some(Receipt { sessions_ended: 1, number: Some(1) }));
    let entry = world.store.revocations(0, 1, at(1)).await.unwrap().remove(0);
    assert_eq!((entry.target, entry.reason), (Target::Client(id.clone()), Reason::ClientDisabled));
    let nothing = Some(Receipt { sessions_ended: 0, number: None });
    assert_eq!(world.store.set_client_enabled(id, false, at(2), keep(at(2))).await.unwrap(), nothing);
    assert_eq!(world.store.set_client_enabled(id, true, at(3), keep(at(3))).await.unwrap(), nothing);
    let client = world.store.client(id).await.unwrap().unwrap();
    assert!(client.enabled && client.revision > world.client.revision && client.cut == 1);
    let retried = rotation_of(&start.session, client.revision, at(4));
    assert_eq!(world.store.rotate(&retried).await.unwrap(), None);
    assert!(!world.is_live(&start, at(4)).await);
    let fresh = world.start_as(&new_session(world.user.id, &client, at(4))).await;
    assert!(fresh.is_live(at(4)));

    let filter = EventFilter { client: Some(id.clone()), ..EventFilter::default() };
    let events = world.store.events(&filter, &all()).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|e| e.kind).collect();
    let expected = [EventKind::Start, EventKind::Admin, EventKind::End, EventKind::Admin, EventKind::Start];
    assert_eq!(kinds, expected);
    let nobody = "nobody".parse().unwrap();
    assert_eq!(world.store.set_client_enabled(&nobody, false, T0, keep(T0)).await.unwrap(), None);
}

pub(crate) async fn a_removed_client_ends_its_sessions(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let removed = world.store.remove_client(&world.client.id, at(1), keep(at(1))).await.unwrap();
    assert_eq!(removed, Some(Receipt { sessions_ended: 1, number: Some(1) }));
    assert_eq!(world.store.client(&world.client.id).await.unwrap(), None);
    assert_eq!(world.store.remove_client(&world.client.id, at(1), keep(at(1))).await.unwrap(), None);
    let entry = world.store.revocations(0, 1, at(1)).await.unwrap().remove(0);
    assert_eq!((entry.target, entry.reason), (Target::Client(world.client_id()), Reason::ClientRemoved));
    assert_eq!(world.rotate(&start, at(2)).await, None);
    // The session can still be told of.
    let stands = world.standing(&start).await;
    assert!(!stands.gates.client_enabled && !stands.is_live(at(2)));
    let listed = world.store.sessions(&Default::default(), &all(), at(2)).await.unwrap();
    assert_eq!(listed, [stands]);
    let receipt = world.revoke(&Target::Session(start.session.id), Reason::Operator, at(3)).await;
    assert_eq!(receipt.sessions_ended, 0);
}

/// Neither a session nor a decision made with the old record survives into the new client.
pub(crate) async fn a_client_of_a_removed_name_starts_afresh(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    world.store.remove_client(&world.client.id, at(1), keep(at(1))).await.unwrap();
    let again = add_client(&world.store, client_named("web")).await;
    assert_eq!(again.cut, 1);
    assert_ne!(again.revision, world.client.revision);
    assert_eq!(world.rotate(&start, at(2)).await, None);
    let with_new = rotation_of(&start.session, again.revision, at(2));
    assert_eq!(world.store.rotate(&with_new).await.unwrap(), None);
    assert!(!world.is_live(&start, at(2)).await);
    let old_decision = new_session(world.user.id, &world.client, at(2));
    assert!(matches!(world.store.start_session(&old_decision).await.unwrap(), Started::Refused(_)));
    let fresh = world.start_as(&new_session(world.user.id, &again, at(2))).await;
    assert!(world.store.rotate(&rotation_of(&fresh.session, again.revision, at(3))).await.unwrap().is_some());
}

fn key(id: &str, purpose: KeyPurpose, number: u8) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        purpose,
        number,
        created_at: T0,
        active_at: at(1),
        expires_at: None,
        sealed: vec![0, 255, number],
    }
}

pub(crate) async fn keys_are_numbered_once(store: Arc<dyn Store>) {
    let first = key("a", KeyPurpose::Refresh, 1);
    let signing = key("b", KeyPurpose::Signing(Algorithm::EdDSA), 1);
    assert_eq!(store.add_key(&first).await.unwrap(), Added::Yes);
    assert_eq!(store.add_key(&signing).await.unwrap(), Added::Yes);
    assert_eq!(store.add_key(&key("c", KeyPurpose::Refresh, 1)).await.unwrap(), Added::Exists);
    assert_eq!(store.add_key(&key("a", KeyPurpose::Refresh, 2)).await.unwrap(), Added::Exists);
    assert_eq!(store.add_key(&key("d", KeyPurpose::Refresh, 2)).await.unwrap(), Added::Yes);
    let mut keys = store.keys().await.unwrap();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(keys, [first, signing, key("d", KeyPurpose::Refresh, 2)]);
}

pub(crate) async fn keys_retire_and_go(store: Arc<dyn Store>) {
    for (id, number) in [("a", 1), ("b", 2)] {
        assert_eq!(store.add_key(&key(id, KeyPurpose::Opaque, number)).await.unwrap(), Added::Yes);
    }
    store.retire_key("a", at(100)).await.unwrap();
    store.retire_key("nobody", at(100)).await.unwrap();
    assert_eq!(store.remove_expired_keys(at(100)).await.unwrap(), 0);
    let mut keys = store.keys().await.unwrap();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!((keys[0].expires_at, keys[1].expires_at), (Some(at(100)), None));
    assert_eq!(store.remove_expired_keys(at(101)).await.unwrap(), 1);
    assert_eq!(store.keys().await.unwrap(), [key("b", KeyPurpose::Opaque, 2)]);
}

pub(crate) async fn resources_come_change_and_go(store: Arc<dyn Store>) {
    let api = resource_named("https://api.example", "a");
    assert_eq!(store.resource(&api.audience).await.unwrap(), None);
    assert_eq!(store.replace_resource(&api).await.unwrap(), Added::Yes);
    assert_eq!(store.resource(&api.audience).await.unwrap(), Some(api.clone()));
    // Audiences are exact text.
    assert_eq!(store.resource("https://API.example").await.unwrap(), None);
    assert_eq!(store.resource("https://api.example/").await.unwrap(), None);

    let later =
        Resource { created_at: at(5), changed_at: at(5), ..resource_named("https://api.example", "b") };
    assert_eq!(store.replace_resource(&later).await.unwrap(), Added::Exists);
    let expected = Resource { created_at: T0, ..later };
    assert_eq!(store.resource(&api.audience).await.unwrap(), Some(expected));

    assert!(!store.remove_resource("https://other.example").await.unwrap());
    assert!(store.remove_resource(&api.audience).await.unwrap());
    assert!(!store.remove_resource(&api.audience).await.unwrap());
    assert_eq!(store.resource(&api.audience).await.unwrap(), None);
    // Nothing of it comes back.
    let anew = Resource { created_at: at(9), changed_at: at(9), ..api };
    assert_eq!(store.replace_resource(&anew).await.unwrap(), Added::Yes);
    assert_eq!(store.resource(&anew.audience).await.unwrap(), Some(anew));
}
