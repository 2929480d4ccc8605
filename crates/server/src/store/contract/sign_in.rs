//! Browser sessions, tickets, and sessions that are started with them.

use std::sync::Arc;
use std::time::Duration;

use super::fixtures::*;
use crate::store::{
    Added, BrowserStanding, EventFilter, EventKind, NewSession, OwnChange, Reason, Receipt,
    RenewBrowserSession, StartRefusal, Store, Target, TicketKind, UserChange,
};
use crate::time::Timestamp;

const NOTHING: Receipt = Receipt { sessions_ended: 0, number: None };

pub(crate) fn renewal_of(
    browser: &BrowserStanding,
    secret_hash: [u8; 32],
    now: Timestamp,
) -> RenewBrowserSession {
    RenewBrowserSession {
        id: browser.session.id,
        seen_hash: browser.session.secret_hash,
        secret_hash,
        auth_time: now,
        acr: "2".to_owned(),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        now,
    }
}

/// A change by the person in that browser.
pub(crate) fn own_change(browser: &BrowserStanding, change: UserChange, now: Timestamp) -> OwnChange {
    let next = new_browser(&browser.user, now);
    OwnChange {
        user: browser.session.user,
        change,
        browser: browser.session.id,
        seen_hash: browser.session.secret_hash,
        next: next.id,
        secret_hash: next.secret_hash,
        now,
        keep_until: keep(now),
    }
}

pub(crate) async fn a_browser_session_starts_as_asked(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.revoke(&Target::Token("a".to_owned()), Reason::Operator, T0).await;
    let mut new = new_browser(&world.user, T0);
    new.remember = true;
    let started = world.store.start_browser_session(&new).await.unwrap().unwrap();
    assert!(started.is_live(T0));
    assert_eq!(started.user, world.user);
    let session = &started.session;
    assert_eq!((session.id, session.user, session.secret_hash), (new.id, new.user, new.secret_hash));
    assert_eq!((session.user_stamp, session.born, started.cut), (1, 1, 0));
    assert_eq!((session.created_at, session.auth_time, session.seen_at), (T0, T0, T0));
    assert_eq!((&session.acr, &session.amr), (&new.acr, &new.amr));
    assert_eq!((session.idle_expires_at, session.expires_at), (T0.plus(IDLE), T0.plus(ABSOLUTE)));
    assert_eq!((session.idle_lifetime, session.remember), (IDLE, true));
    assert_eq!((&session.network, &session.agent, session.ended), (&new.network, &new.agent, None));
    assert_eq!(world.browser_now(&started).await, started);
    assert_eq!(world.store.browser_session(&[9; 32]).await.unwrap(), None);

    let second = world.browse(at(1)).await;
    let of = async |now| world.store.browser_sessions(world.user.id, now).await.unwrap();
    assert_eq!(of(at(1)).await, [second.clone(), started]);
    assert_eq!(of(T0.plus(IDLE)).await, [second]);
    assert_eq!(world.store.browser_sessions(user_named("bob").id, T0).await.unwrap(), []);
}

/// Somebody who was authenticated against a record that is not the user's any more is nobody.
pub(crate) async fn a_browser_session_needs_its_user(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = async |new| world.store.start_browser_session(&new).await.unwrap();
    assert_eq!(start(new_browser(&user_named("nobody"), T0)).await, None);
    let before = new_browser(&world.user, T0);
    for change in [UserChange::SignOut, UserChange::Disable] {
        world.store.change_user(world.user.id, &change, T0, keep(T0)).await.unwrap();
        assert_eq!(start(before.clone()).await, None);
    }
    assert_eq!(start(new_browser(&world.user_now().await, T0)).await, None);
    world.store.change_user(world.user.id, &UserChange::Enable, T0, keep(T0)).await.unwrap();
    assert!(start(new_browser(&world.user_now().await, T0)).await.is_some());
}

/// What ends all that the user has ends browser sessions, for good, and nothing else does.
pub(crate) async fn a_browser_session_ends_with_its_gates(store: Arc<dyn Store>) {
    let mut world = World::new(store).await;
    let mut user = user_named("bob");
    user.tenant = Some("acme".to_owned());
    world.user = add_user(&world.store, user).await;
    let browser = world.browse(T0).await;
    world.revoke(&Target::Client(world.client_id()), Reason::Operator, T0).await;
    world.revoke(&Target::Tenant("other".to_owned()), Reason::Operator, T0).await;
    world.revoke(&Target::User(user_named("cyd").id), Reason::Operator, T0).await;
    assert!(world.browser_now(&browser).await.is_live(T0));

    let gone = async |browser: &BrowserStanding| {
        let stands = world.browser_now(browser).await;
        assert!(!stands.is_live(T0));
        assert!(world.store.browser_sessions(world.user.id, T0).await.unwrap().is_empty());
        let renewal = renewal_of(&stands, [8; 32], T0);
        assert_eq!(world.store.renew_browser_session(&renewal).await.unwrap(), None);
        let redemption = world.redemption(browser, T0).await;
        let refusals = [Some(StartRefusal::Browser), Some(StartRefusal::User)];
        assert!(refusals.contains(&world.refused(&redemption).await));
    };
    for target in [Target::User(world.user.id), Target::Tenant("acme".to_owned()), Target::Everything] {
        let browser = world.browse(T0).await;
        assert!(browser.is_live(T0));
        world.revoke(&target, Reason::Operator, T0).await;
        gone(&browser).await;
    }
    let browser = world.browse(T0).await;
    for change in [UserChange::Disable, UserChange::Enable] {
        world.store.change_user(world.user.id, &change, T0, keep(T0)).await.unwrap();
        gone(&browser).await;
    }
    let browser = world.browse(T0).await;
    world.store.begin_epoch(T0, keep(T0)).await.unwrap();
    gone(&browser).await;
    assert!(world.browse(T0).await.is_live(T0));
}

pub(crate) async fn a_renewal_changes_the_secret(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let browser = world.browse(T0).await;
    let renewal = renewal_of(&browser, [8; 32], at(5));
    let renewed = world.store.renew_browser_session(&renewal).await.unwrap().unwrap();
    let mut expected = browser.clone();
    expected.session.secret_hash = [8; 32];
    expected.session.acr = "2".to_owned();
    expected.session.amr = renewal.amr.clone();
    (expected.session.auth_time, expected.session.seen_at) = (at(5), at(5));
    expected.session.idle_expires_at = at(5).plus(IDLE);
    assert_eq!(renewed, expected);
    // The old secret is of no use.
    assert_eq!(world.store.browser_session(&browser.session.secret_hash).await.unwrap(), None);
    assert_eq!(world.store.renew_browser_session(&renewal).await.unwrap(), None);
    // Time only ages.
    let earlier = renewal_of(&renewed, [7; 32], at(1));
    let renewed = world.store.renew_browser_session(&earlier).await.unwrap().unwrap();
    assert_eq!((renewed.session.auth_time, renewed.session.seen_at), (at(5), at(5)));
    // What is added to an authentication does not make it younger.
    let mut added = renewal_of(&renewed, [5; 32], at(6));
    added.auth_time = renewed.session.auth_time;
    let renewed = world.store.renew_browser_session(&added).await.unwrap().unwrap();
    assert_eq!((renewed.session.auth_time, renewed.session.seen_at), (at(5), at(6)));
    // Another's id with this secret, and a browser session that is over.
    let other = world.browse(T0).await;
    let mut crossed = renewal_of(&renewed, [6; 32], at(6));
    crossed.id = other.session.id;
    assert_eq!(world.store.renew_browser_session(&crossed).await.unwrap(), None);
    let late = renewal_of(&renewed, [6; 32], renewed.session.idle_expires_at);
    assert_eq!(world.store.renew_browser_session(&late).await.unwrap(), None);
    assert_eq!(world.browser_now(&renewed).await, renewed);
}

/// S10. A change of one's own ends everything else, and what it leaves is no younger and lives no longer than before.
pub(crate) async fn a_browser_session_goes_on_after_a_change_as_old_as_it_was(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (browser, other) = (world.browse(T0).await, world.browse(T0).await);
    world.revoke(&Target::Token("a".to_owned()), Reason::Operator, at(1)).await;
    let (code, session) = (
        world.redemption(&browser, at(1)).await,
        world.start_as(&world.redemption(&browser, at(1)).await).await,
    );
    let own = own_change(&browser, UserChange::Password("$argon2id$new".to_owned()), at(5));
    let receipt = world.store.change_own_user(&own).await.unwrap();
    assert_eq!(receipt, Some(Receipt { sessions_ended: 1, number: Some(2) }));

    let after = world.store.browser_session(&own.secret_hash).await.unwrap().unwrap();
    let mut expected = browser.clone();
    (expected.session.id, expected.session.secret_hash) = (own.next, own.secret_hash);
    expected.session.user_stamp = 2;
    (expected.session.seen_at, expected.session.idle_expires_at) = (at(5), at(5).plus(IDLE));
    (expected.user.stamp, expected.user.password_hash) = (2, Some("$argon2id$new".to_owned()));
    assert_eq!(after, expected);
    assert!(after.is_live(at(5)));
    // All else has ended, what began in this browser as well, and nothing of it hangs on what goes on.
    assert!(!world.is_live(&session, at(5)).await);
    assert_eq!(world.refused(&code).await, Some(StartRefusal::Browser));
    let live = world.store.browser_sessions(world.user.id, at(5)).await.unwrap();
    assert_eq!(live, std::slice::from_ref(&after));
    assert!(
        !world.browser_now(&browser).await.is_live(at(5)) && !world.browser_now(&other).await.is_live(at(5))
    );
    let entry = world.store.revocations(1, 1, T0).await.unwrap().remove(0);
    assert_eq!((entry.target, entry.stamp), (Target::User(world.user.id), Some(2)));
    // A cut of before and the absolute end are those of the first.
    let near = T0.plus(ABSOLUTE - Duration::from_millis(1));
    let mut last = after;
    while last.session.idle_expires_at < last.session.expires_at {
        let own = own_change(&last, UserChange::SignOut, Timestamp(last.session.idle_expires_at.0 - 1));
        world.store.change_own_user(&own).await.unwrap().unwrap();
        last = world.store.browser_session(&own.secret_hash).await.unwrap().unwrap();
        assert_eq!((last.session.auth_time, last.session.expires_at), (T0, T0.plus(ABSOLUTE)));
    }
    assert!(last.is_live(near) && !last.is_live(T0.plus(ABSOLUTE)));
}

/// What ended a browser session has ended what it was about to do.
pub(crate) async fn a_change_of_ones_own_needs_its_browser_session(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let bob = add_user(&world.store, user_named("bob")).await;
    let bobs = world.store.start_browser_session(&new_browser(&bob, T0)).await.unwrap().unwrap();
    let refused = async |own: OwnChange| {
        let before = (world.user_now().await, world.store.position().await.unwrap());
        assert_eq!(world.store.change_own_user(&own).await.unwrap(), None);
        assert_eq!((world.user_now().await, world.store.position().await.unwrap()), before);
        assert_eq!(world.store.browser_session(&own.secret_hash).await.unwrap(), None);
    };
    let sign_out = |browser: &BrowserStanding| own_change(browser, UserChange::SignOut, at(1));
    let browser = world.browse(T0).await;
    refused(OwnChange { seen_hash: [7; 32], ..sign_out(&browser) }).await;
    refused(OwnChange { user: bob.id, ..sign_out(&browser) }).await;
    refused(OwnChange { user: world.user.id, ..sign_out(&bobs) }).await;
    refused(OwnChange { browser: bobs.session.id, ..sign_out(&browser) }).await;
    refused(OwnChange { user: user_named("nobody").id, ..sign_out(&browser) }).await;
    refused(OwnChange { now: browser.session.idle_expires_at, ..sign_out(&browser) }).await;
    // One that ends nothing would leave two browser sessions of one.
    refused(OwnChange { change: UserChange::Enable, ..sign_out(&browser) }).await;
    refused(OwnChange { change: UserChange::AddFactors(Vec::new()), ..sign_out(&browser) }).await;
    refused(OwnChange { change: UserChange::Roles(world.user.roles.clone()), ..sign_out(&browser) }).await;

    world.store.end_browser_session(browser.session.id, Reason::Person, at(1), keep(at(1))).await.unwrap();
    refused(sign_out(&browser)).await;
    for target in [Target::User(world.user.id), Target::Everything] {
        let browser = world.browse(T0).await;
        world.revoke(&target, Reason::Operator, at(1)).await;
        refused(sign_out(&browser)).await;
    }
    // A cut after the change ends what went on, too: it began before.
    let browser = world.browse(T0).await;
    let own = sign_out(&browser);
    world.store.change_own_user(&own).await.unwrap().unwrap();
    world.revoke(&Target::Everything, Reason::Operator, at(1)).await;
    let after = world.store.browser_session(&own.secret_hash).await.unwrap().unwrap();
    assert!(!after.is_live(at(1)));
    // The cookie of before is of no use.
    let browser = world.browse(T0).await;
    let renewal = renewal_of(&browser, [8; 32], T0);
    world.store.renew_browser_session(&renewal).await.unwrap().unwrap();
    refused(sign_out(&browser)).await;
    let browser = world.browse(T0).await;
    world.store.change_user(world.user.id, &UserChange::Disable, at(1), keep(at(1))).await.unwrap();
    refused(sign_out(&browser)).await;
}

pub(crate) async fn use_moves_the_idle_expiry_of_a_browser_session(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let browser = world.browse(T0).await;
    let touch = async |now| {
        world.store.touch_browser_session(browser.session.id, "there", "Other", now).await.unwrap();
        world.browser_now(&browser).await.session
    };
    let session = touch(at(10)).await;
    assert_eq!((session.seen_at, session.idle_expires_at), (at(10), at(10).plus(IDLE)));
    assert_eq!((session.network.as_deref(), session.agent.as_deref()), (Some("there"), Some("Other")));
    assert_eq!((session.auth_time, session.expires_at), (T0, T0.plus(ABSOLUTE)));
    // Never back, never past the absolute expiry, never when it is over.
    assert_eq!(touch(at(5)).await, session);
    let mut now = at(10);
    while now < T0.plus(ABSOLUTE - IDLE) {
        now = now.plus(IDLE - Duration::from_millis(1));
        touch(now).await;
    }
    let session = touch(now).await;
    assert_eq!(session.idle_expires_at, session.expires_at);
    assert_eq!(touch(session.expires_at).await, session);

    let idle = world.browse(T0).await;
    world.store.touch_browser_session(idle.session.id, "x", "y", T0.plus(IDLE)).await.unwrap();
    assert_eq!(world.browser_now(&idle).await, idle);
    world.store.end_browser_session(idle.session.id, Reason::Person, at(1), keep(at(1))).await.unwrap();
    let ended = world.browser_now(&idle).await;
    world.store.touch_browser_session(idle.session.id, "x", "y", at(2)).await.unwrap();
    assert_eq!(world.browser_now(&idle).await, ended);
}

pub(crate) async fn a_browser_session_ends_what_ends_with_it(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (browser, other) = (world.browse(T0).await, world.browse(T0).await);
    let first = world.start_as(&world.redemption(&browser, T0).await).await;
    let second = world.start_as(&world.redemption(&browser, at(1)).await).await;
    let mut apart = world.redemption(&browser, T0).await;
    apart.sign_in.as_mut().unwrap().ends_with_browser = false;
    let apart = world.start_as(&apart).await;
    let others = world.start_as(&world.redemption(&other, T0).await).await;
    assert_eq!((first.session.browser, apart.session.browser), (Some(browser.session.id), None));
    world.revoke(&Target::Session(second.session.id), Reason::Person, at(2)).await;

    let end = async |id| {
        let reason = Reason::BrowserSignOut;
        world.store.end_browser_session(id, reason, at(3), keep(at(3))).await.unwrap()
    };
    assert_eq!(end(browser.session.id).await, Some(Receipt { sessions_ended: 1, number: Some(2) }));
    let stands = world.browser_now(&browser).await;
    let ended = stands.session.ended.unwrap();
    assert_eq!((ended.at, ended.reason), (at(3), Reason::BrowserSignOut));
    assert!(!stands.is_live(at(3)));
    let ended = world.standing(&first).await.session.ended.unwrap();
    assert_eq!((ended.at, ended.reason), (at(3), Reason::BrowserSignOut));
    assert_eq!(world.standing(&second).await.session.ended.unwrap().reason, Reason::Person);
    for lives in [&apart, &others] {
        assert!(world.is_live(lives, at(3)).await);
    }
    let entry = world.store.revocations(1, 1, T0).await.unwrap().remove(0);
    assert_eq!((entry.target, entry.reason), (Target::Session(first.session.id), Reason::BrowserSignOut));
    let filter = EventFilter { session: Some(first.session.id), ..EventFilter::default() };
    let events = world.store.events(&filter, &all()).await.unwrap();
    assert_eq!(events.last().unwrap().kind, EventKind::End);

    assert_eq!(end(browser.session.id).await, Some(NOTHING));
    assert_eq!(end(new_browser(&world.user, T0).id).await, None);
    assert_eq!(world.store.position().await.unwrap(), 2);
}

pub(crate) async fn tickets_are_replaced_and_taken(store: Arc<dyn Store>) {
    for kind in TicketKind::ALL {
        let ticket = new_ticket(kind, T0);
        assert_eq!(store.add_ticket(&ticket).await.unwrap(), Added::Yes);
        assert_eq!(store.ticket(&ticket.hash).await.unwrap(), Some(ticket));
    }
    let mut ticket = new_ticket(TicketKind::Device, T0);
    assert_eq!(store.add_ticket(&ticket).await.unwrap(), Added::Yes);
    let mut same = new_ticket(TicketKind::Code, T0);
    same.hash = ticket.hash;
    assert_eq!(store.add_ticket(&same).await.unwrap(), Added::Exists);
    assert_eq!(store.ticket(&ticket.hash).await.unwrap(), Some(ticket.clone()));

    let last = Timestamp(ticket.expires_at.0 - 1);
    ticket.body = "{}".to_owned();
    assert!(!store.replace_ticket(&ticket, ticket.expires_at).await.unwrap());
    assert!(store.replace_ticket(&ticket, last).await.unwrap());
    assert!(!store.replace_ticket(&ticket, last).await.unwrap());
    ticket.revision += 1;
    assert_eq!(store.ticket(&ticket.hash).await.unwrap(), Some(ticket.clone()));

    assert_eq!(store.take_ticket(&ticket.hash, ticket.expires_at).await.unwrap(), None);
    assert_eq!(store.ticket(&ticket.hash).await.unwrap(), Some(ticket.clone()));
    assert_eq!(store.take_ticket(&ticket.hash, last).await.unwrap(), Some(ticket.clone()));
    assert_eq!(store.take_ticket(&ticket.hash, last).await.unwrap(), None);
    assert_eq!(store.ticket(&ticket.hash).await.unwrap(), None);
    assert!(!store.replace_ticket(&ticket, last).await.unwrap());
}

pub(crate) async fn a_sign_in_spends_its_ticket(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let browser = world.browse(T0).await;
    let new = world.redemption(&browser, T0).await;
    let hash = new.sign_in.unwrap().ticket;
    let started = world.start_as(&new).await;
    assert_eq!(started.session.browser, Some(browser.session.id));
    assert_eq!(world.standing(&started).await, started);
    let spent = world.store.ticket(&hash).await.unwrap().unwrap();
    assert_eq!(spent.session, Some(started.session.id));
    // Nothing more is done with it.
    let again = |now| NewSession { id: new_session(world.user.id, &world.client, now).id, ..new.clone() };
    assert_eq!(world.refused(&again(T0)).await, Some(StartRefusal::Ticket));
    assert_eq!(world.store.take_ticket(&hash, T0).await.unwrap(), None);
    assert!(!world.store.replace_ticket(&spent, T0).await.unwrap());
    assert_eq!(world.store.ticket(&hash).await.unwrap(), Some(spent.clone()));

    // Its last millisecond, and the first that is too late.
    let mut late = world.redemption(&browser, T0).await;
    late.now = spent.expires_at;
    assert_eq!(world.refused(&late).await, Some(StartRefusal::Ticket));
    late.now = Timestamp(spent.expires_at.0 - 1);
    assert_eq!(world.refused(&late).await, None);
    let mut unknown = world.redemption(&browser, T0).await;
    unknown.sign_in.as_mut().unwrap().ticket = [1; 32];
    assert_eq!(world.refused(&unknown).await, Some(StartRefusal::Ticket));
    // A refresh leaves the browser session as it is.
    let next = world.rotate(&started, at(1)).await.unwrap();
    assert_eq!(next.session.browser, Some(browser.session.id));
}

/// Nothing is changed by a refusal: the ticket is good still, no session is ended for the limit.
pub(crate) async fn a_refused_sign_in_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let bystander = world.start(T0).await;
    let bob = add_user(&world.store, user_named("bob")).await;
    let bobs = world.store.start_browser_session(&new_browser(&bob, T0)).await.unwrap().unwrap();
    let ended = world.browse(T0).await;
    world.store.end_browser_session(ended.session.id, Reason::Person, T0, keep(T0)).await.unwrap();
    let live = world.browse(T0).await;

    let refused = async |browser: &BrowserStanding, now: Timestamp, why, spoil: &dyn Fn(&mut NewSession)| {
        let mut new = world.redemption(browser, now).await;
        (new.limit, new.now) = (1, now);
        spoil(&mut new);
        assert_eq!(world.refused(&new).await, Some(why));
        let ticket = world.store.ticket(&new.sign_in.unwrap().ticket).await.unwrap().unwrap();
        assert_eq!(ticket.session, None);
        assert!(world.store.standing(new.id).await.unwrap().is_none());
        assert_eq!(world.standing(&bystander).await.session.ended, None);
    };
    let nothing: &dyn Fn(&mut NewSession) = &|_| {};
    refused(&bobs, T0, StartRefusal::Browser, nothing).await;
    refused(&ended, T0, StartRefusal::Browser, nothing).await;
    refused(&live, T0.plus(IDLE), StartRefusal::Browser, nothing).await;
    let unknown = new_browser(&bob, T0).id;
    refused(&live, T0, StartRefusal::Browser, &|new| new.sign_in.as_mut().unwrap().browser = unknown).await;
    refused(&live, T0, StartRefusal::Client, &|new| new.client_revision += 1).await;
    refused(&live, T0, StartRefusal::User, &|new| new.user = user_named("nobody").id).await;
    assert_eq!(world.store.position().await.unwrap(), 0);
}

/// Browser sessions at their absolute expiry; tickets when nobody asks for them any more.
pub(crate) async fn sign_ins_are_purged(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let (old, young) = (world.browse(T0).await, world.browse(at(1)).await);
    let (early, late) = (world.code(T0).await, world.code(at(1)).await);
    assert_eq!(world.store.purge(Timestamp(early.kept_until.0 - 1), T0, 100).await.unwrap(), 0);
    assert_eq!(world.store.purge(early.kept_until, T0, 100).await.unwrap(), 1);
    assert_eq!(world.store.ticket(&early.hash).await.unwrap(), None);
    assert_eq!(world.store.ticket(&late.hash).await.unwrap(), Some(late));
    // In steps.
    assert_eq!(world.store.purge(old.session.expires_at, T0, 1).await.unwrap(), 1);
    assert_eq!(world.store.purge(old.session.expires_at, T0, 5).await.unwrap(), 1);
    assert_eq!(world.store.browser_session(&old.session.secret_hash).await.unwrap(), None);
    assert_eq!(world.browser_now(&young).await, young);
}
