//! What belongs to a person: factors, consents, the profile; removal; and what clients are told of
//! a session's end.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::ClientId;
use uuid::Uuid;

use super::fixtures::*;
use crate::entropy;
use crate::store::{
    Consent, EventFilter, EventKind, Factor, FactorKind, FactorUse, LogoutNotice, Profile, Reason, Receipt,
    StartRefusal, Store, Target, UserChange,
};
use crate::time::Timestamp;

const NOTHING: Receipt = Receipt { sessions_ended: 0, number: None };

pub(crate) fn factor(world: &World, kind: FactorKind, now: Timestamp) -> Factor {
    Factor {
        id: entropy::uuid_v7(now),
        user: world.user.id,
        kind,
        label: "a phone".to_owned(),
        created_at: now,
        used_at: None,
        counter: 0,
        body: "sealed".to_owned(),
    }
}

async fn change(world: &World, change: UserChange, ms: i64) -> Receipt {
    world.store.change_user(world.user.id, &change, at(ms), keep(at(ms))).await.unwrap().unwrap()
}

pub(crate) async fn factors_come_and_go_with_the_stamp(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let all_kinds: Vec<_> =
        FactorKind::ALL.into_iter().enumerate().map(|(n, kind)| factor(&world, kind, at(n as i64))).collect();
    let factors = async || world.store.factors(world.user.id).await.unwrap();
    world.start(T0).await;
    let mut given = all_kinds.clone();
    given.reverse();
    let added = change(&world, UserChange::AddFactors(given), 1).await;
    assert_eq!(added, Receipt { sessions_ended: 1, number: Some(1) });
    assert_eq!(factors().await, all_kinds);
    assert_eq!(world.user_now().await.stamp, 2);
    let entry = world.store.revocations(0, 1, T0).await.unwrap().remove(0);
    assert_eq!((entry.reason, entry.stamp), (Reason::FactorChange, Some(2)));

    // Another user's are not touched.
    let mut other = world.clone();
    other.user = add_user(&world.store, user_named("bob")).await;
    let bobs = factor(&other, FactorKind::Totp, T0);
    change(&other, UserChange::AddFactors(vec![bobs.clone()]), 2).await;
    let ids = vec![all_kinds[0].id, bobs.id, Uuid::nil()];
    assert_eq!(change(&world, UserChange::RemoveFactors(ids), 3).await.number, Some(3));
    assert_eq!(factors().await, all_kinds[1..]);
    assert_eq!(world.store.factors(other.user.id).await.unwrap(), [bobs]);
    assert_eq!(change(&world, UserChange::AddFactors(Vec::new()), 4).await, NOTHING);
    assert_eq!(change(&world, UserChange::RemoveFactors(Vec::new()), 4).await, NOTHING);
    assert_eq!(world.user_now().await.stamp, 3);
}

/// All codes at once, and nothing but codes.
pub(crate) async fn recovery_codes_are_replaced_together(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let of = |kind, ms| factor(&world, kind, at(ms));
    let kept = [of(FactorKind::Totp, 0), of(FactorKind::Passkey, 1)];
    let old = [of(FactorKind::Recovery, 2), of(FactorKind::Recovery, 3)];
    change(&world, UserChange::AddFactors([&kept[..], &old[..]].concat()), 4).await;
    let used = FactorUse { id: old[0].id, seen: 0, counter: 1, body: None, now: at(4) };
    assert!(world.store.use_factor(&used).await.unwrap());
    let new = vec![of(FactorKind::Recovery, 5), of(FactorKind::Recovery, 6)];
    world.start(T0).await;
    let replaced = change(&world, UserChange::RecoveryCodes(new.clone()), 7).await;
    assert_eq!(replaced, Receipt { sessions_ended: 1, number: Some(2) });
    let stored = world.store.factors(world.user.id).await.unwrap();
    assert_eq!(stored, [&kept[..], &new[..]].concat());
    assert_eq!(world.user_now().await.stamp, 3, "one change, and so one step of the stamp");
    assert_eq!(change(&world, UserChange::RecoveryCodes(Vec::new()), 8).await, NOTHING);
}

pub(crate) async fn a_factor_is_used_up_to_a_counter(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut factor = factor(&world, FactorKind::Totp, T0);
    change(&world, UserChange::AddFactors(vec![factor.clone()]), 0).await;
    let mut used = FactorUse { id: factor.id, seen: 0, counter: 59, body: None, now: at(9) };
    assert!(world.store.use_factor(&used).await.unwrap());
    assert!(!world.store.use_factor(&used).await.unwrap());
    (factor.counter, factor.used_at) = (59, Some(at(9)));
    assert_eq!(world.store.factors(world.user.id).await.unwrap(), [factor.clone()]);
    used = FactorUse { seen: 59, counter: 60, body: Some("resealed".to_owned()), now: at(3), ..used };
    assert!(world.store.use_factor(&used).await.unwrap());
    (factor.counter, factor.body) = (60, "resealed".to_owned());
    assert_eq!(world.store.factors(world.user.id).await.unwrap(), [factor]);
    used.id = Uuid::nil();
    assert!(!world.store.use_factor(&used).await.unwrap());
}

pub(crate) async fn a_profile_is_set(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let mut profile = Profile { email_verified: true, updated_at: Some(at(1)), ..Profile::default() };
    profile.claims.insert("name".to_owned(), "Ada \u{0} Lovelace".into());
    profile.claims.insert("address".to_owned(), serde_json::json!({ "country": "GB" }));
    let set = |email: &Option<String>| UserChange::Profile(email.clone(), Box::new(profile.clone()));
    let mut expected = world.user.clone();
    assert_eq!(change(&world, set(&expected.email), 1).await, NOTHING);
    expected.profile = profile.clone();
    assert_eq!(world.user_now().await, expected);
    assert!(world.is_live(&start, at(1)).await);
    // Another address is another matter.
    let other = Some("ada@example.net".to_owned());
    assert_eq!(change(&world, set(&other), 2).await, Receipt { sessions_ended: 1, number: Some(1) });
    (expected.email, expected.stamp) = (other, 2);
    assert_eq!(world.user_now().await, expected);
    let entry = world.store.revocations(0, 1, T0).await.unwrap().remove(0);
    assert_eq!(entry.reason, Reason::EmailChange);
    let mut bob = user_named("bob");
    bob.profile = profile;
    add_user(&world.store, bob.clone()).await;
    assert_eq!(world.store.find_user_by_name("bob").await.unwrap(), Some(bob));
}

pub(crate) async fn consents_are_remembered(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (user, web, app) = (world.user.id, "web".parse().unwrap(), "app".parse().unwrap());
    assert_eq!(world.store.consent(user, &web).await.unwrap(), None);
    let grant = async |client, scope: &str, now| {
        let scope = scope.parse().unwrap();
        world.store.grant_consent(user, client, &scope, now).await.unwrap();
        Consent { user, client: client.clone(), scope, granted_at: now }
    };
    let first = grant(&web, "read", T0).await;
    assert_eq!(world.store.consent(user, &web).await.unwrap(), Some(first));
    let wider = grant(&web, "read write", at(1)).await;
    let second = grant(&app, "read", at(2)).await;
    assert_eq!(world.store.consent(user, &web).await.unwrap(), Some(wider.clone()));
    assert_eq!(world.store.consents(user).await.unwrap(), [second, wider]);
    // Of nobody there is nothing to remember.
    let nobody = user_named("nobody").id;
    world.store.grant_consent(nobody, &web, &"read".parse().unwrap(), T0).await.unwrap();
    assert_eq!(world.store.consents(nobody).await.unwrap(), []);
}

pub(crate) async fn withdrawing_a_consent_ends_the_sessions(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (start, web) = (world.start(T0).await, world.client_id());
    let mut elsewhere = world.clone();
    elsewhere.client = add_client(&world.store, client_named("app")).await;
    let other_client = elsewhere.start(T0).await;
    let mut bob = world.clone();
    bob.user = add_user(&world.store, user_named("bob")).await;
    let other_user = bob.start(T0).await;
    let withdraw =
        async || world.store.withdraw_consent(world.user.id, &web, at(1), keep(at(1))).await.unwrap();
    assert_eq!(withdraw().await, None);
    assert!(world.is_live(&start, at(1)).await);
    world.store.grant_consent(world.user.id, &web, &"read".parse().unwrap(), T0).await.unwrap();
    assert_eq!(withdraw().await, Some(Receipt { sessions_ended: 1, number: Some(1) }));
    assert_eq!(world.store.consent(world.user.id, &web).await.unwrap(), None);
    assert_eq!(world.standing(&start).await.session.ended.unwrap().reason, Reason::ConsentWithdrawn);
    for lives in [other_client, other_user] {
        assert!(world.is_live(&lives, at(1)).await);
    }
    assert_eq!(withdraw().await, None);
    world.store.grant_consent(world.user.id, &web, &"read".parse().unwrap(), T0).await.unwrap();
    assert_eq!(withdraw().await, Some(NOTHING));
}

pub(crate) async fn a_removed_user_leaves_nothing_live(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (start, browser) = (world.start(T0).await, world.browse(T0).await);
    let web = world.client_id();
    world.store.grant_consent(world.user.id, &web, &"read".parse().unwrap(), T0).await.unwrap();
    change(&world, UserChange::AddFactors(vec![factor(&world, FactorKind::Totp, T0)]), 0).await;
    let later = world.start(at(1)).await;
    let remove = async || world.store.remove_user(world.user.id, at(2), keep(at(2))).await.unwrap();
    assert_eq!(remove().await, Some(Receipt { sessions_ended: 1, number: Some(2) }));
    assert_eq!(remove().await, None);
    let entry = world.store.revocations(1, 1, T0).await.unwrap().remove(0);
    assert_eq!((entry.target, entry.reason), (Target::User(world.user.id), Reason::UserRemoved));
    assert_eq!(entry.stamp, Some(3));
    let filter = EventFilter { user: Some(world.user.id), ..EventFilter::default() };
    let kinds: Vec<_> =
        world.store.events(&filter, &all()).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds[..2], [EventKind::End, EventKind::Admin]);

    assert_eq!(world.store.user(world.user.id).await.unwrap(), None);
    assert_eq!(world.store.browser_session(&browser.session.secret_hash).await.unwrap(), None);
    assert_eq!(world.store.places(world.user.id).await.unwrap(), []);
    assert_eq!(world.store.factors(world.user.id).await.unwrap(), []);
    assert_eq!(world.store.consents(world.user.id).await.unwrap(), []);
    for dead in [&start, &later] {
        assert!(!world.is_live(dead, at(2)).await);
    }
    assert_eq!(world.rotate(&later, at(3)).await, None);
    // The name is free, and its next owner has nothing of the first.
    let again = add_user(&world.store, user_named("ada")).await;
    assert!(!world.is_live(&later, at(2)).await);
    let next = World { user: again, ..world.clone() };
    let fresh = next.start(at(4)).await;
    assert!(fresh.is_live(at(4)));
    let old = new_session(world.user.id, &world.client, at(4));
    assert_eq!(world.refused(&old).await, Some(StartRefusal::User));
}

/// A client that wants to be told, with a name that no JSON function of a database takes.
async fn told_world(store: Arc<dyn Store>) -> World {
    let mut world = World::new(store).await;
    let mut client = client_named("told");
    client.settings.sign_in.name = Some(r#"a " b \ c"#.to_owned() + "\u{0}");
    client.settings.sign_in.backchannel_logout_uri = Some("https://app.example/out".to_owned());
    world.client = add_client(&world.store, client).await;
    world
}

async fn due(world: &World, limit: u32, now: Timestamp, again_at: Timestamp) -> Vec<LogoutNotice> {
    world.store.due_logout_notices(limit, &[], now, again_at).await.unwrap()
}

async fn taken(world: &World, now: Timestamp) -> Vec<LogoutNotice> {
    let notices = due(world, 100, now, now.plus(Duration::from_secs(60))).await;
    for notice in &notices {
        world.store.finish_logout_notice(notice.session).await.unwrap();
    }
    notices
}

/// Every way in which a session ends by itself, and a stamp; never a cut.
pub(crate) async fn clients_are_told_of_logouts(store: Arc<dyn Store>) {
    let world = told_world(store).await;
    let one = async |session, now| {
        let (user, client) = (world.user.id, world.client_id());
        let notice = LogoutNotice { session, user, client, attempts: 0, ended_at: now };
        assert_eq!(taken(&world, now).await, [notice]);
        assert_eq!(taken(&world, now).await, []);
    };
    for reason in [Reason::Reuse, Reason::Operator, Reason::CodeReplay] {
        let id = world.start(T0).await.session.id;
        world.revoke(&Target::Session(id), reason, at(1)).await;
        one(id, at(1)).await;
        world.revoke(&Target::Session(id), reason, at(2)).await;
        assert_eq!(taken(&world, at(2)).await, []);
    }
    let displaced = world.start(T0).await;
    let mut only = new_session(world.user.id, &world.client, at(1));
    only.limit = 1;
    let only = world.start_as(&only).await;
    one(displaced.session.id, at(1)).await;
    world.store.grant_consent(world.user.id, &world.client_id(), &"read".parse().unwrap(), T0).await.unwrap();
    world.store.withdraw_consent(world.user.id, &world.client_id(), at(2), keep(at(2))).await.unwrap();
    one(only.session.id, at(2)).await;
    let browser = world.browse(T0).await;
    let signed_in = world.start_as(&world.redemption(&browser, T0).await).await;
    world.store.end_browser_session(browser.session.id, Reason::Person, at(1), keep(at(1))).await.unwrap();
    one(signed_in.session.id, at(1)).await;

    // A stamp: all that were live, and they are not told of again.
    let start = world.start(T0).await;
    change(&world, UserChange::SignOut, 3).await;
    one(start.session.id, at(3)).await;
    world.revoke(&Target::Session(start.session.id), Reason::Operator, at(4)).await;
    change(&world, UserChange::Disable, 4).await;
    assert_eq!(taken(&world, at(4)).await, []);
    change(&world, UserChange::Enable, 5).await;

    // Cuts end any number of sessions and tell nobody.
    for target in [Target::Client(world.client_id()), Target::Everything] {
        let id = world.start(at(5)).await.session.id;
        world.revoke(&target, Reason::Operator, at(5)).await;
        world.revoke(&Target::Session(id), Reason::Operator, at(5)).await;
        assert_eq!(taken(&world, at(5)).await, []);
    }
    // A client that does not want to know.
    let mut quiet = world.clone();
    quiet.client = add_client(&world.store, client_named("quiet")).await;
    let id = quiet.start(at(6)).await.session.id;
    world.revoke(&Target::Session(id), Reason::Operator, at(6)).await;
    assert_eq!(taken(&world, at(6)).await, []);
    let last = world.start(at(6)).await;
    world.store.remove_user(world.user.id, at(7), keep(at(7))).await.unwrap();
    one(last.session.id, at(7)).await;
}

/// The notices of a client whose receiver is slow are left for later, and do not stand before another's.
pub(crate) async fn notices_of_some_clients_are_passed_over(store: Arc<dyn Store>) {
    let slow = told_world(store).await;
    let mut quick = slow.clone();
    let mut client = client_named("quick");
    client.settings.sign_in.backchannel_logout_uri = Some("https://quick.example/out".to_owned());
    quick.client = add_client(&slow.store, client).await;
    let mut ids = Vec::new();
    for (n, world) in [&slow, &slow, &quick].into_iter().enumerate() {
        let id = world.start(T0).await.session.id;
        world.revoke(&Target::Session(id), Reason::Person, at(n as i64)).await;
        ids.push(id);
    }
    let take = async |but_for: &[ClientId]| {
        let taken = slow.store.due_logout_notices(1, but_for, at(9), at(10)).await.unwrap();
        taken.into_iter().map(|notice| notice.session).collect::<Vec<_>>()
    };
    let both = [slow.client_id(), quick.client_id()];
    assert_eq!(take(&both).await, []);
    assert_eq!(take(&both[..1]).await, [ids[2]]);
    assert_eq!(take(&both[..1]).await, []);
    assert_eq!(take(&[]).await, [ids[0]]);
    assert_eq!(take(&both[1..]).await, [ids[1]]);
}

pub(crate) async fn notices_are_put_off_and_given_up(store: Arc<dyn Store>) {
    let world = told_world(store).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let id = world.start(T0).await.session.id;
        world.revoke(&Target::Session(id), Reason::Person, at(10 - n)).await;
        ids.push(id);
    }
    let sessions = |notices: Vec<LogoutNotice>| notices.iter().map(|n| n.session).collect::<Vec<_>>();
    assert_eq!(due(&world, 10, at(7), at(7)).await, []);
    // The longest due first; each goes to one caller.
    assert_eq!(sessions(due(&world, 2, at(10), at(20)).await), [ids[2], ids[1]]);
    assert_eq!(sessions(due(&world, 2, at(10), at(21)).await), [ids[0]]);
    assert_eq!(due(&world, 2, at(19), at(30)).await, []);
    world.store.postpone_logout_notice(ids[2], at(25)).await.unwrap();
    world.store.finish_logout_notice(ids[1]).await.unwrap();
    let again = due(&world, 10, at(25), at(30)).await;
    assert_eq!(again.iter().map(|n| (n.session, n.attempts)).collect::<Vec<_>>(), [(ids[0], 0), (ids[2], 1)]);
    world.store.postpone_logout_notice(ids[2], at(31)).await.unwrap();
    // A day after the session's end nobody waits for it.
    let day = Duration::from_secs(24 * 3600);
    world.store.purge(at(7).plus(day), T0, 100).await.unwrap();
    let late = at(8).plus(day);
    assert_eq!(sessions(due(&world, 10, late, late).await), [ids[0], ids[2]]);
    world.store.purge(late, T0, 100).await.unwrap();
    assert_eq!(sessions(due(&world, 10, late, late).await), [ids[0]]);
}
