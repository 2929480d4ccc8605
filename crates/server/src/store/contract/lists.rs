//! Lists: stable, complete and filtered, page by page.

use std::sync::Arc;

use super::fixtures::*;
use crate::store::{
    ClientFilter, Event, EventFilter, EventKind, Page, Reason, SessionFilter, Standing, Store, Target,
    UserChange, UserFilter,
};

pub(crate) async fn sessions_in_pages(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(world.start(at(n)).await.session.id);
    }
    ids.reverse();
    let mut listed = Vec::new();
    let mut page = Page { after: None, limit: 3 };
    loop {
        let part = world.store.sessions(&SessionFilter::default(), &page, at(9)).await.unwrap();
        let Some(last) = part.last() else { break };
        assert!(part.len() <= 3);
        page.after = Some(last.session.id);
        listed.extend(part.iter().map(|s| s.session.id));
        // A session that begins meanwhile disturbs nothing.
        world.start(at(8)).await;
    }
    assert_eq!(listed, ids);
}

pub(crate) async fn sessions_by_filter(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let bob = add_user(&world.store, user_named("bob")).await;
    let other = add_client(&world.store, client_named("other")).await;
    let first = world.start(at(1)).await;
    let second = world.start_as(&new_session(world.user.id, &other, at(2))).await;
    let bobs = world.start_as(&new_session(bob.id, &other, at(3))).await;
    world.revoke(&Target::Session(first.session.id), Reason::Operator, at(4)).await;

    let listed = async |user, client, live, now| {
        let filter = SessionFilter { user, client, live };
        let sessions = world.store.sessions(&filter, &all(), now).await.unwrap();
        for session in &sessions {
            assert_eq!(*session, world.standing(session).await);
        }
        sessions.iter().map(|s| s.session.id).collect::<Vec<_>>()
    };
    let ids = |sessions: &[&Standing]| sessions.iter().map(|s| s.session.id).collect::<Vec<_>>();
    let (ada, now) = (Some(world.user.id), at(5));
    assert_eq!(listed(None, None, None, now).await, ids(&[&bobs, &second, &first]));
    assert_eq!(listed(ada, None, None, now).await, ids(&[&second, &first]));
    assert_eq!(listed(ada, None, Some(true), now).await, ids(&[&second]));
    assert_eq!(listed(ada, None, Some(false), now).await, ids(&[&first]));
    let other = Some(other.id);
    assert_eq!(listed(None, other.clone(), None, now).await, ids(&[&bobs, &second]));
    assert_eq!(listed(ada, other.clone(), None, now).await, ids(&[&second]));
    // Live is all that `Standing::is_live` says.
    world.store.change_user(bob.id, &UserChange::Disable, now, keep(now)).await.unwrap();
    assert_eq!(listed(None, other.clone(), Some(true), now).await, ids(&[&second]));
    assert_eq!(listed(None, other.clone(), Some(false), now).await, ids(&[&bobs]));
    let late = second.session.idle_expires_at;
    assert_eq!(listed(ada, None, Some(true), late).await, ids(&[]));
    world.store.remove_client(&other.clone().unwrap(), now, keep(now)).await.unwrap();
    assert_eq!(listed(ada, None, Some(true), now).await, ids(&[]));
    assert_eq!(listed(ada, None, Some(false), now).await, ids(&[&second, &first]));
}

pub(crate) async fn users_in_pages(store: Arc<dyn Store>) {
    // In the order of bytes, whatever the language.
    let names = ["B", "a", "a b", "ab", "b", "z", "ä", "\u{10000}"];
    for name in names.iter().rev() {
        add_user(&store, user_named(name)).await;
    }
    let mut listed = Vec::new();
    let mut page = Page { after: None, limit: 3 };
    loop {
        let part = store.users(&UserFilter::default(), &page).await.unwrap();
        let Some(last) = part.last() else { break };
        page.after = Some(last.canonical.clone());
        listed.extend(part.iter().map(|u| u.canonical.clone()));
    }
    assert_eq!(listed, names);
}

pub(crate) async fn users_by_filter(store: Arc<dyn Store>) {
    for name in ["ada", "adam", "bob", "a%a", "a_a"] {
        let mut user = user_named(name);
        user.tenant = name.starts_with("ad").then(|| "acme".to_owned());
        user.enabled = name != "adam";
        add_user(&store, user).await;
    }
    let listed = async |filter: UserFilter| {
        let users = store.users(&filter, &all()).await.unwrap();
        users.into_iter().map(|u| u.canonical).collect::<Vec<_>>()
    };
    let none = UserFilter::default;
    assert_eq!(listed(UserFilter { name_prefix: Some("ada".to_owned()), ..none() }).await, ["ada", "adam"]);
    assert_eq!(listed(UserFilter { name_prefix: Some("a%".to_owned()), ..none() }).await, ["a%a"]);
    assert_eq!(listed(UserFilter { name_prefix: Some("a_".to_owned()), ..none() }).await, ["a_a"]);
    assert_eq!(listed(UserFilter { tenant: Some("acme".to_owned()), ..none() }).await, ["ada", "adam"]);
    let enabled = UserFilter { tenant: Some("acme".to_owned()), enabled: Some(true), name_prefix: None };
    assert_eq!(listed(enabled).await, ["ada"]);
    assert_eq!(listed(UserFilter { enabled: Some(false), ..none() }).await, ["adam"]);
}

pub(crate) async fn clients_in_pages(store: Arc<dyn Store>) {
    let names = ["A", "B-1", "B.1", "_", "a", "b"];
    for name in names.iter().rev() {
        let mut client = client_named(name);
        client.tenant = (*name == "a").then(|| "acme".to_owned());
        client.enabled = *name != "b";
        add_client(&store, client).await;
    }
    let mut listed = Vec::new();
    let mut page = Page { after: None, limit: 4 };
    loop {
        let part = store.clients(&ClientFilter::default(), &page).await.unwrap();
        let Some(last) = part.last() else { break };
        page.after = Some(last.id.clone());
        listed.extend(part.iter().map(|c| c.id.to_string()));
    }
    assert_eq!(listed, names);
    let acme = ClientFilter { tenant: Some("acme".to_owned()), enabled: None };
    assert_eq!(store.clients(&acme, &all()).await.unwrap().len(), 1);
    let disabled = ClientFilter { tenant: None, enabled: Some(false) };
    assert_eq!(store.clients(&disabled, &all()).await.unwrap()[0].id.as_str(), "b");
}

pub(crate) async fn resources_in_pages(store: Arc<dyn Store>) {
    let names = ["B", "a", "https://a.example", "https://a.example/x", "https://b.example"];
    for name in names.iter().rev() {
        store.replace_resource(&resource_named(name, "k")).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut page = Page { after: None, limit: 2 };
    loop {
        let part = store.resources(&page).await.unwrap();
        let Some(last) = part.last() else { break };
        page.after = Some(last.audience.clone());
        listed.extend(part.iter().map(|r| r.audience.clone()));
    }
    assert_eq!(listed, names);
}

pub(crate) async fn events_in_pages(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let session = world.start(T0).await.session.id;
    for n in 1..8 {
        let event = Event {
            number: 0,
            at: at(n),
            kind: EventKind::Refused,
            session: (n % 2 == 0).then_some(session),
            user: None,
            client: None,
            detail: format!("event {n}"),
        };
        world.store.add_event(&event).await.unwrap();
    }
    let pages = async |filter: &EventFilter| {
        let mut numbers = Vec::new();
        let mut page = Page { after: None, limit: 3 };
        loop {
            let part = world.store.events(filter, &page).await.unwrap();
            let Some(last) = part.last() else { break };
            page.after = Some(last.number);
            numbers.extend(part.iter().map(|e| e.number));
        }
        numbers
    };
    let newest_first = pages(&EventFilter::default()).await;
    assert_eq!(newest_first.len(), 8);
    assert!(newest_first.is_sorted_by(|a, b| a > b));
    let of_session = pages(&EventFilter { session: Some(session), ..EventFilter::default() }).await;
    assert_eq!(of_session.len(), 4);
    assert!(of_session.is_sorted_by(|a, b| a < b));
}

pub(crate) async fn events_by_filter(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let event = Event {
        number: 0,
        at: at(3),
        kind: EventKind::Refused,
        session: None,
        user: Some(world.user.id),
        client: Some(world.client_id()),
        detail: "a “sentence”".to_owned(),
    };
    world.store.add_event(&event).await.unwrap();
    let mut other = event.clone();
    (other.user, other.client, other.kind) = (None, None, EventKind::Admin);
    world.store.add_event(&other).await.unwrap();

    let none = EventFilter::default;
    for filter in [
        EventFilter { user: Some(world.user.id), ..none() },
        EventFilter { client: Some(world.client_id()), ..none() },
        EventFilter { kind: Some(EventKind::Refused), ..none() },
    ] {
        let mut found = world.store.events(&filter, &all()).await.unwrap();
        assert_eq!(found.len(), 1);
        found[0].number = 0;
        assert_eq!(found[0], event);
    }
    let no_one = EventFilter { user: Some(world.user.id), kind: Some(EventKind::Admin), ..none() };
    assert!(world.store.events(&no_one, &all()).await.unwrap().is_empty());
}
