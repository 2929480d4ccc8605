//! Two nodes whose clocks disagree, and clocks that go back (S5, S10, S11).

use std::sync::Arc;

use countersign::store::Reason;
use countersign::time::Timestamp;

use crate::support::{Engine, START, TestServer};
use crate::{nodes, proof};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;
/// A public native client's overlap window.
const WINDOW: i64 = 10 * SECOND;
/// How far the second node's clock is off.
const SKEWS: [i64; 8] = [-YEAR, -5 * MINUTE, -5 * SECOND, -1, 1, 5 * SECOND, 5 * MINUTE, YEAR];

async fn apart(skew: i64) -> Vec<Arc<TestServer>> {
    let nodes = nodes(Engine::Postgres).await;
    nodes[1].clock.set(Timestamp(START.0 + skew));
    nodes[0].user("alice").await;
    nodes[0].public_client("app").await;
    nodes
}

/// A year ahead, a session of sixty days has expired there.
fn has_expired(skew: i64) -> bool {
    skew == YEAR
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_by_generation_whatever_the_clocks_say() {
    for skew in SKEWS {
        let nodes = apart(skew).await;
        let pair = nodes[0].session("alice", "app").await;
        let born = nodes[0].standing(&pair.sid).await.session;
        // The chain goes back and forth between the nodes.
        let mut chain = vec![pair.refresh.clone()];
        for turn in 0..6 {
            let before = nodes[0].standing(&pair.sid).await.session;
            let node = &nodes[turn % 2];
            let answer = node.refresh("app", chain.last().unwrap()).await;
            let after = nodes[0].standing(&pair.sid).await.session;
            // S10, S11: only forward, and never further than was granted.
            assert_eq!(after.expires_at, born.expires_at, "skew {skew}");
            assert!(after.idle_expires_at <= after.expires_at, "skew {skew}");
            assert!(after.idle_expires_at >= before.idle_expires_at, "skew {skew}");
            assert!(after.rotated_at >= before.rotated_at, "skew {skew}");
            if turn % 2 == 1 && has_expired(skew) {
                answer.assert_error(400, "invalid_grant");
                assert_eq!(after, before, "a refusal changed something");
            } else {
                chain.push(answer.assert_ok().str("refresh_token"));
                assert_eq!(after.generation, before.generation + 1, "skew {skew}");
            }
        }
        // A token two behind is spent on each node, at each time, and ends the session.
        let thief = if has_expired(skew) { &nodes[0] } else { &nodes[1] };
        thief.refresh("app", &chain[chain.len() - 3]).await.assert_error(400, "invalid_grant");
        for to in [0, START.0 - YEAR, START.0, START.0 + YEAR] {
            for node in &nodes {
                node.clock.set(Timestamp(to));
                for token in &chain {
                    node.refresh("app", token).await.assert_error(400, "invalid_grant");
                }
            }
            let ended = nodes[0].standing(&pair.sid).await.session.ended.unwrap();
            assert_eq!(ended.reason, Reason::Reuse);
        }
    }
    proof(SKEWS.len(), "clocks", None);
}

/// The window is as long as it is whatever sign the difference has, and a proof needs none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_opens_the_window_by_its_length_at_most() {
    for skew in SKEWS {
        for proof in [None, Some("proof")] {
            let nodes = apart(skew).await;
            let pair = nodes[0].session("alice", "app").await;
            let present = async |node: &TestServer| match proof {
                Some(proof) => node.refresh_with_key("app", &pair.refresh, proof).await,
                None => node.refresh("app", &pair.refresh).await,
            };
            let first = present(&nodes[0]).await.assert_ok().str("refresh_token");
            let before = nodes[0].standing(&pair.sid).await.session;
            let again = present(&nodes[1]).await;
            let after = nodes[0].standing(&pair.sid).await.session;
            assert_eq!(
                (after.expires_at, after.idle_expires_at),
                (before.expires_at, before.idle_expires_at)
            );
            assert_eq!(after.rotated_at, before.rotated_at, "a replay moved the window");
            if has_expired(skew) {
                again.assert_error(400, "invalid_grant");
                assert_eq!(after.ended, None, "an expired presentation is inert");
            } else if proof.is_some() || skew.abs() <= WINDOW {
                assert_eq!(again.assert_ok().str("refresh_token"), first, "skew {skew}");
                assert_eq!(after.ended, None);
            } else {
                again.assert_error(400, "invalid_grant");
                assert_eq!(after.ended.unwrap().reason, Reason::Reuse, "skew {skew}");
            }
        }
    }
    proof(2 * SKEWS.len(), "clocks", None);
}

/// What expired stays expired when the clock is set back behind the last committed time only as
/// far as the clock errs: an ended session never lives again, whatever the clock says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_stays_revoked_on_a_clock_that_goes_back() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let nodes = nodes(engine).await;
        let server = &nodes[0];
        let pair = server.alice().await;
        let next = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
        server.form("/oauth/revoke", &[("client_id", "app"), ("token", &next)]).await.assert_ok();
        let times = [0, START.0 - YEAR, START.0 - 1, START.0, START.0 + MINUTE];
        for to in times {
            server.clock.set(Timestamp(to));
            for token in [&pair.refresh, &next] {
                server.refresh("app", token).await.assert_error(400, "invalid_grant");
            }
            assert!(!server.standing(&pair.sid).await.is_live(server.app.clock.now()));
        }
        proof(times.len(), "clocks", None);
    }
}
