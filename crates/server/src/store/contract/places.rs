//! Where people have signed in from.

use std::sync::Arc;

use countersign_wire::BrowserSessionId;

use super::fixtures::*;
use crate::store::{NewBrowserSession, NewPlace, Place, Store, UserChange};
use crate::time::Timestamp;

/// Signs the user in somewhere.
async fn sign_in(world: &World, network: &str, device: &str, asks: bool, now: Timestamp) -> BrowserSessionId {
    let new = NewBrowserSession {
        network: Some(network.to_owned()),
        agent: Some(format!("{device} at {}", now.0)),
        place: NewPlace { device: device.to_owned(), asks },
        ..new_browser(&world.user_now().await, now)
    };
    world.store.start_browser_session(&new).await.unwrap().unwrap().session.id
}

async fn places(world: &World) -> Vec<Place> {
    world.store.places(world.user.id).await.unwrap()
}

pub(crate) async fn a_place_is_noted_with_its_browser_session(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    assert_eq!(places(&world).await, []);
    let is_in = async |name: &str, network: &str| world.store.has_place_in(name, network).await.unwrap();
    assert!(!is_in("ada", "home").await);
    let first = sign_in(&world, "home", "laptop", false, at(1)).await;
    let home = Place {
        id: first,
        user: world.user.id,
        network: "home".to_owned(),
        device: "laptop".to_owned(),
        agent: format!("laptop at {}", at(1).0),
        since: at(1),
        seen_at: at(1),
        browser: first,
        is_new: false,
    };
    assert_eq!(places(&world).await, std::slice::from_ref(&home));
    let second = sign_in(&world, "home", "phone", true, at(2)).await;
    let third = sign_in(&world, "inn", "laptop", true, at(3)).await;
    let ids: Vec<_> = places(&world).await.into_iter().map(|place| (place.id, place.is_new)).collect();
    assert_eq!(ids, [(third, true), (second, true), (first, false)]);

    // Seen again it is the same one; and what it is to be asked is as it was.
    let again = sign_in(&world, "home", "laptop", true, at(5)).await;
    let seen =
        Place { agent: format!("laptop at {}", at(5).0), seen_at: at(5), browser: again, ..home.clone() };
    assert_eq!(places(&world).await.last(), Some(&seen));
    // Time only ages.
    sign_in(&world, "home", "laptop", false, at(4)).await;
    assert_eq!(places(&world).await.last().map(|place| place.seen_at), Some(at(5)));

    assert!(is_in("ada", "home").await && is_in("ada", "inn").await);
    assert!(!is_in("ada", "elsewhere").await && !is_in("nobody", "home").await);
    add_user(&world.store, user_named("bob")).await;
    assert!(!is_in("bob", "home").await);
    // What ends everything leaves them: they say where the person is at home, and end nothing.
    let before = places(&world).await;
    world.store.change_user(world.user.id, &UserChange::SignOut, at(6), keep(at(6))).await.unwrap();
    assert_eq!(places(&world).await, before);
    // A sign-in that is refused notes nothing.
    let refused = NewBrowserSession {
        place: NewPlace { device: "thief".to_owned(), asks: true },
        ..new_browser(&world.user, at(7))
    };
    assert_eq!(world.store.start_browser_session(&refused).await.unwrap(), None);
    assert_eq!(places(&world).await, before);
    // One whose network and agent are not known is a place too.
    let nowhere =
        NewBrowserSession { network: None, agent: None, ..new_browser(&world.user_now().await, at(8)) };
    world.store.start_browser_session(&nowhere).await.unwrap().unwrap();
    let place = places(&world).await.remove(0);
    assert_eq!((place.network.as_str(), place.agent.as_str()), ("", ""));
}

pub(crate) async fn the_places_not_seen_for_longest_go(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = add_user(&world.store, user_named("bob")).await;
    world.store.start_browser_session(&new_browser(&other, T0)).await.unwrap().unwrap();
    let first = sign_in(&world, "n0", "laptop", false, T0).await;
    for n in 1..i64::from(Place::MOST) {
        sign_in(&world, &format!("n{n}"), "laptop", true, at(n)).await;
    }
    sign_in(&world, "n0", "laptop", true, at(100)).await;
    sign_in(&world, "one more", "laptop", true, at(101)).await;
    let left = places(&world).await;
    assert_eq!(left.len(), Place::MOST as usize);
    assert!(left.iter().any(|place| place.id == first) && !left.iter().any(|place| place.network == "n1"));
    assert_eq!(world.store.places(other.id).await.unwrap().len(), 1);
}

pub(crate) async fn a_place_is_settled_and_forgotten(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = add_user(&world.store, user_named("bob")).await.id;
    let user = world.user.id;
    let first = sign_in(&world, "home", "laptop", true, T0).await;
    let second = sign_in(&world, "inn", "laptop", true, at(1)).await;
    let settle = async |user, id| world.store.settle_place(user, id).await.unwrap();
    assert!(!settle(other, first).await);
    assert!(settle(user, first).await);
    assert!(!settle(user, first).await, "it is settled");
    let new: Vec<_> = places(&world).await.into_iter().map(|place| place.is_new).collect();
    assert_eq!(new, [true, false]);
    let forget = async |user, id| world.store.forget_place(user, id).await.unwrap();
    assert!(!forget(other, second).await);
    assert!(forget(user, second).await && !forget(user, second).await);
    assert_eq!(places(&world).await.len(), 1);
}

pub(crate) async fn places_are_purged(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    sign_in(&world, "home", "laptop", false, T0).await;
    sign_in(&world, "inn", "laptop", false, at(1)).await;
    let gone = T0.plus(Place::REMEMBERED);
    let purge = async |now| world.store.purge(now, T0, 100).await.unwrap();
    assert_eq!(purge(T0.plus(ABSOLUTE)).await, 1, "a browser session");
    assert_eq!(purge(gone.minus(std::time::Duration::from_millis(1))).await, 1, "the other");
    assert_eq!(purge(gone).await, 1);
    let left: Vec<_> = places(&world).await.into_iter().map(|place| place.network).collect();
    assert_eq!(left, ["inn"]);
}
