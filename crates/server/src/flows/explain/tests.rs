use countersign_wire::{Scope, SessionId, UserId};

use super::*;
use crate::store::{Ended, Gates, Lockstep, Reason, Recent, UserFacts};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn standing() -> Standing {
    let place = |network| Context { network, agent: 0xab };
    let at = |minutes: i64, network| Recent { at: Timestamp(minutes * MINUTE), context: place(network) };
    Standing {
        session: Session {
            id: SessionId(uuid::Uuid::from_u128(1)),
            user: UserId(uuid::Uuid::from_u128(2)),
            client: "app".parse().unwrap(),
            scope: Scope::default(),
            audience: Vec::new(),
            device: None,
            network: None,
            agent: None,
            remember: false,
            created_at: Timestamp(400),
            auth_time: Timestamp(400),
            acr: None,
            amr: Vec::new(),
            browser: None,
            status_index: None,
            nonce_hash: [7; 32],
            user_stamp: 1,
            born: 5,
            generation: 3,
            key_number: 1,
            retry_hash: None,
            rotated_at: Timestamp(20 * MINUTE),
            idle_lifetime: Duration::from_secs(12 * 3600),
            idle_expires_at: Timestamp(DAY / 2),
            expires_at: Timestamp(7 * DAY),
            recent: vec![at(20, 2), at(10, 1), at(0, 1)],
            replays: 0,
            lockstep: Lockstep::default(),
            ended: None,
        },
        gates: Gates { client_enabled: true, client_revision: 1, user_enabled: true, user_stamp: 1, cut: 5 },
        user: UserFacts { username: "ana".to_owned(), email: None, tenant: None, roles: Vec::new() },
        position: 5,
    }
}

fn event(minutes: i64, kind: EventKind, detail: &str) -> Event {
    Event {
        number: 1,
        at: Timestamp(minutes * MINUTE + 400),
        kind,
        session: None,
        user: None,
        client: None,
        detail: detail.to_owned(),
    }
}

#[test]
fn the_verdict_of_a_reuse_says_when() {
    let mut standing = standing();
    standing.session.ended = Some(Ended { at: Timestamp(57 * MINUTE), reason: Reason::Reuse });
    assert_eq!(SessionStatus::of(&standing, Timestamp(DAY)), SessionStatus::Ended);
    assert_eq!(
        verdict(&standing, None, Timestamp(DAY)),
        "It ended at 1970-01-01T00:57:00Z, 37 min after the last rotation: a refresh token that had been replaced \
         was presented again."
    );
}

#[test]
fn each_gate_has_its_sentence() {
    let now = Timestamp(30 * MINUTE);
    let with = |change: fn(&mut Standing)| {
        let mut standing = standing();
        change(&mut standing);
        (SessionStatus::of(&standing, now), verdict(&standing, None, now))
    };
    let (status, text) = with(|_| ());
    assert_eq!(status, SessionStatus::Live);
    assert_eq!(
        text,
        "It is alive: it expires at 1970-01-01T12:00:00Z unless it is refreshed, and at 1970-01-08T00:00:00Z in any case."
    );
    for (change, words) in [
        ((|s| s.gates.client_enabled = false) as fn(&mut Standing), "the client is disabled"),
        (|s| s.gates.user_enabled = false, "the user is disabled"),
        (|s| s.gates.user_stamp = 2, "everything that the user had"),
        (|s| s.gates.cut = 6, "revoked"),
    ] {
        let (status, text) = with(change);
        assert_eq!(status, SessionStatus::Ended, "{text}");
        assert!(text.contains(words), "{text}");
    }
    let (status, text) = with(|s| s.session.idle_expires_at = Timestamp(25 * MINUTE));
    assert_eq!(status, SessionStatus::Expired);
    assert_eq!(text, "It expired at 1970-01-01T00:25:00Z because it was not refreshed for 5 min.");
    let (status, text) = with(|s| s.session.expires_at = Timestamp(30 * MINUTE));
    assert_eq!(status, SessionStatus::Expired);
    assert_eq!(text, "It expired at 1970-01-01T00:30:00Z, at the end of its longest lifetime of 29 min.");
}

#[test]
fn what_was_ended_around_it_gives_the_time() {
    let mut standing = standing();
    standing.gates.user_stamp = 2;
    let cause = event(25, EventKind::End, "the user's password was changed");
    assert_eq!(
        verdict(&standing, Some(&cause), Timestamp(DAY)),
        "It ended at 1970-01-01T00:25:00Z, 5 min after the last rotation: the user's password was changed."
    );
}

#[test]
fn statuses_agree_with_the_gate_of_a_refresh() {
    let now = Timestamp(30 * MINUTE);
    let changes: [fn(&mut Standing); 8] = [
        |_| (),
        |s| s.session.ended = Some(Ended { at: Timestamp(1), reason: Reason::Operator }),
        |s| s.gates.client_enabled = false,
        |s| s.gates.user_enabled = false,
        |s| s.gates.user_stamp = 9,
        |s| s.gates.cut = 9,
        |s| s.session.idle_expires_at = Timestamp(30 * MINUTE),
        |s| s.session.expires_at = Timestamp(30 * MINUTE),
    ];
    for change in changes {
        let mut standing = standing();
        change(&mut standing);
        assert_eq!(standing.is_live(now), SessionStatus::of(&standing, now) == SessionStatus::Live);
    }
}

#[test]
fn the_timeline_is_in_order_and_names_places_by_fingerprint() {
    let events = vec![
        event(0, EventKind::Start, "began"),
        event(10, EventKind::Replay, "a replay"),
        event(57, EventKind::Reuse, "reuse"),
        event(57, EventKind::End, "ended"),
    ];
    let told: Vec<_> = timeline(&standing().session, events, Context::default())
        .into_iter()
        .map(|m| (m.kind, m.detail))
        .collect();
    let expected = [
        ("start", "began"),
        ("refresh", "refreshed to generation 2, from network 00000001, user agent 000000ab"),
        ("replay", "a replay"),
        (
            "refresh",
            "refreshed to generation 3, from network 00000002, another than the time before, user agent 000000ab",
        ),
        ("reuse", "reuse"),
        ("end", "ended"),
    ];
    assert_eq!(told, expected.map(|(kind, detail)| (kind, detail.to_owned())));
}

#[test]
fn purged_events_leave_the_beginning_and_the_end() {
    let mut session = standing().session;
    session.ended = Some(Ended { at: Timestamp(57 * MINUTE), reason: Reason::Operator });
    let kinds: Vec<_> =
        timeline(&session, Vec::new(), Context::default()).into_iter().map(|m| m.kind).collect();
    assert_eq!(kinds, ["start", "refresh", "refresh", "end"]);
}

#[test]
fn spans() {
    let of = |seconds| span(Duration::from_secs(seconds));
    assert_eq!(span(Duration::from_millis(12)), "12 ms");
    assert_eq!(of(59), "59 s");
    assert_eq!(of(2220), "37 min");
    assert_eq!(of(7200), "2 h");
    assert_eq!(of(7500), "2 h 5 min");
    assert_eq!(of(3 * 86400 + 4 * 3600), "3 d 4 h");
}
