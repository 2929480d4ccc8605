//! The decision table, without a store.

use super::*;
use crate::store::{Ended, Gates, Recent, Session, UserFacts};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HOME: Context = Context { network: 1, agent: 1 };
const ELSEWHERE: Context = Context { network: 2, agent: 2 };
const RULES: Rules = Rules { overlap: Duration::from_secs(10), lockstep_threshold: 3 };

fn standing() -> Standing {
    let id = |n: u128| uuid::Uuid::from_u128(n);
    Standing {
        session: Session {
            id: countersign_wire::SessionId(id(1)),
            user: countersign_wire::UserId(id(2)),
            client: "app".parse().unwrap(),
            scope: Scope::default(),
            audience: Vec::new(),
            device: None,
            network: None,
            agent: None,
            remember: false,
            created_at: NOW,
            auth_time: NOW,
            acr: None,
            amr: Vec::new(),
            browser: None,
            status_index: None,
            nonce_hash: [7; 32],
            user_stamp: 3,
            born: 5,
            generation: 8,
            key_number: 1,
            retry_hash: None,
            rotated_at: NOW,
            idle_lifetime: Duration::from_secs(3_600),
            idle_expires_at: NOW.plus(Duration::from_secs(3_600)),
            expires_at: NOW.plus(Duration::from_secs(7_200)),
            recent: vec![Recent { at: NOW, context: HOME }],
            replays: 0,
            lockstep: Lockstep::default(),
            ended: None,
        },
        gates: Gates { client_enabled: true, client_revision: 1, user_enabled: true, user_stamp: 3, cut: 5 },
        user: UserFacts { username: "alice".to_owned(), email: None, tenant: None, roles: Vec::new() },
        position: 9,
    }
}

fn claim(generation: u32) -> Claim {
    Claim { generation, nonce_hash: [7; 32], client: "app".parse().unwrap(), retry_hash: None, context: HOME }
}

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

#[test]
fn generations_decide() {
    let cases = [
        (8, Verdict::Rotate),
        (7, Verdict::Replay(Lockstep::default())),
        (6, Verdict::Reuse(Reason::Reuse)),
        (0, Verdict::Reuse(Reason::Reuse)),
        (9, Verdict::Refuse(Refusal::FutureGeneration)),
    ];
    for (generation, verdict) in cases {
        assert_eq!(judge(&claim(generation), &standing(), &RULES, NOW), verdict, "{generation}");
    }
}

#[test]
fn the_window_has_two_sharp_edges() {
    let at = |now| judge(&claim(7), &standing(), &RULES, now);
    assert_eq!(at(later(10_000)), Verdict::Replay(Lockstep::default()));
    assert_eq!(at(later(10_001)), Verdict::Reuse(Reason::Reuse));
    assert_eq!(at(NOW.minus(Duration::from_millis(10_000))), Verdict::Replay(Lockstep::default()));
    assert_eq!(at(NOW.minus(Duration::from_millis(10_001))), Verdict::Reuse(Reason::Reuse));
    let strict = Rules { overlap: Duration::ZERO, ..RULES };
    assert_eq!(judge(&claim(7), &standing(), &strict, NOW), Verdict::Reuse(Reason::Reuse));
}

#[test]
fn a_proof_replaces_the_window() {
    let mut standing = standing();
    standing.session.retry_hash = Some([1; 16]);
    let with = |proof| Claim { retry_hash: proof, ..claim(7) };
    let far = later(3_599_999);
    assert_eq!(judge(&with(Some([1; 16])), &standing, &RULES, far), Verdict::Replay(Lockstep::default()));
    assert_eq!(judge(&with(Some([2; 16])), &standing, &RULES, NOW), Verdict::Reuse(Reason::Reuse));
    assert_eq!(judge(&with(None), &standing, &RULES, NOW), Verdict::Reuse(Reason::Reuse));
}

#[test]
fn closed_gates_are_inert_even_for_spent_tokens() {
    type Close = fn(&mut Standing);
    let cases: [(Close, Refusal); 8] = [
        (|s| s.session.nonce_hash = [8; 32], Refusal::UnknownSession),
        (|s| s.session.client = "other".parse().unwrap(), Refusal::AnotherClientsToken),
        (
            |s| s.session.ended = Some(Ended { at: NOW, reason: Reason::Operator }),
            Refusal::SessionEnded(Reason::Operator),
        ),
        (|s| s.session.expires_at = NOW, Refusal::SessionExpired),
        (|s| s.session.idle_expires_at = NOW, Refusal::SessionIdle),
        (|s| s.gates.client_enabled = false, Refusal::ClientOfSessionDisabled),
        (|s| s.gates.user_enabled = false, Refusal::UserDisabled),
        (|s| s.gates.user_stamp = 4, Refusal::StampMoved),
    ];
    for (close, refusal) in cases {
        for generation in [5, 7, 8, 9] {
            let mut standing = standing();
            close(&mut standing);
            assert!(
                refusal == Refusal::UnknownSession
                    || refusal == Refusal::AnotherClientsToken
                    || !standing.is_live(NOW)
            );
            let verdict = judge(&claim(generation), &standing, &RULES, NOW);
            assert_eq!(verdict, Verdict::Refuse(refusal.clone()));
        }
    }
    let mut cut = standing();
    cut.gates.cut = 6;
    assert_eq!(judge(&claim(8), &cut, &RULES, NOW), Verdict::Refuse(Refusal::Cut));
}

#[test]
fn foreign_replays_count_once_a_generation_and_only_in_a_row() {
    let foreign = Claim { context: ELSEWHERE, ..claim(7) };
    let with = |lockstep| {
        let mut standing = standing();
        standing.session.lockstep = lockstep;
        judge(&foreign, &standing, &RULES, NOW)
    };
    let seen = |generation, streak| Lockstep { generation, streak };
    assert_eq!(with(seen(0, 0)), Verdict::Replay(seen(8, 1)));
    assert_eq!(with(seen(7, 1)), Verdict::Replay(seen(8, 2)));
    assert_eq!(with(seen(8, 1)), Verdict::Replay(seen(8, 1)));
    assert_eq!(with(seen(6, 2)), Verdict::Replay(seen(8, 1)));
    assert_eq!(with(seen(7, 2)), Verdict::Reuse(Reason::Lockstep));
}

#[test]
fn a_replay_with_a_proof_is_never_lockstep() {
    let mut standing = standing();
    standing.session.retry_hash = Some([1; 16]);
    standing.session.lockstep = Lockstep { generation: 7, streak: 2 };
    let foreign = Claim { context: ELSEWHERE, retry_hash: Some([1; 16]), ..claim(7) };
    assert_eq!(judge(&foreign, &standing, &RULES, NOW), Verdict::Replay(standing.session.lockstep));
}
