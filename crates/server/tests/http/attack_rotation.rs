//! The attack list, continued: one token at many places, and what ends while it is refreshed. On
//! PostgreSQL there are two nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::attack_list::Probe;
use crate::browser::Browser;
use crate::on_both;
use crate::support::TestServer;

/// Presentations at once.
const CROWD: usize = 64;
/// Rounds of refresh against revocation.
const ROUNDS: usize = 30;

/// The other node, or this one where there can be no other.
fn there<'a>(here: &'a TestServer, beside: Option<&'a TestServer>) -> &'a TestServer {
    beside.unwrap_or(here)
}

on_both!(case_01_one_token_sixty_four_times_at_one_moment, |server| {
    let probe = Probe::new(&server).await;
    let beside = server.another_node().await;
    let nodes = [&server, there(&server, beside.as_ref())];
    let pair = server.alice().await;
    let presented = (0..CROWD).map(|n| nodes[n % nodes.len()].refresh("app", &pair.refresh));
    let answers = join_all(presented).await;
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 503), "{}: {}", answer.status, answer.text);
    }
    let successors: BTreeSet<String> =
        answers.iter().filter(|a| a.status == 200).map(|a| a.str("refresh_token")).collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert_eq!(server.standing(&pair.sid).await.session.generation, 2, "consumed more than once");
    for successor in &successors {
        server.refresh("app", successor).await.assert_ok();
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_04_a_token_revoked_while_it_is_refreshed, |server| {
    let probe = Probe::new(&server).await;
    let beside = server.another_node().await;
    let there = there(&server, beside.as_ref());
    server.user("alice").await;
    server.public_client("app").await;
    for _ in 0..ROUNDS {
        let pair = server.session("alice", "app").await;
        let pairs = [("client_id", "app"), ("token", pair.refresh.as_str())];
        let (refreshed, revoked) =
            tokio::join!(server.refresh("app", &pair.refresh), there.form("/oauth/revoke", &pairs));
        assert_eq!(revoked.status, 200);
        // Whichever came first, nothing of the session works after the revocation was answered.
        for node in [&server, there] {
            if refreshed.status == 200 {
                let next = refreshed.str("refresh_token");
                node.refresh("app", &next).await.assert_error(400, "invalid_grant");
                let api = node.get_as("/api/profile", &refreshed.str("access_token")).await;
                api.assert_error(401, "invalid_token");
            }
            node.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
        }
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_05_both_answers_of_a_repetition_used, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let one = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    let two = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    assert_eq!(one, two);
    let three = server.refresh("app", &one).await.assert_ok().str("refresh_token");
    let four = server.refresh("app", &two).await.assert_ok().str("refresh_token");
    assert_eq!(three, four);
    probe.nothing_lost(&server).await;
});

on_both!(case_08_a_second_session_does_not_make_a_spent_token_good, |server| {
    let probe = Probe::new(&server).await;
    let first = server.alice().await;
    let next = server.refresh("app", &first.refresh).await.assert_ok().str("refresh_token");
    // The same person and client once more; and a server that remembers nothing.
    let second = server.session("alice", "app").await;
    let second_next = server.refresh("app", &second.refresh).await.assert_ok().str("refresh_token");
    server.advance(Duration::from_secs(60));
    let restarted = server.restarted().await;
    restarted.refresh("app", &first.refresh).await.assert_error(400, "invalid_grant");
    restarted.refresh("app", &next).await.assert_error(400, "invalid_grant");
    restarted.refresh("app", &second_next).await.assert_ok();
    probe.nothing_lost(&server).await;
});

on_both!(case_11_a_client_with_less_or_disabled_and_a_consent_taken_back, |server| {
    let secret = server.shop().await;
    let probe = Probe::new(&server).await;
    server.public_client("app").await;
    let pair = server.session("alice", "app").await;
    server.admin(Method::PATCH, "/clients/app", json!({"scope": "read"})).await.assert_ok();
    let less = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(less.str("scope"), "read");
    for verb in ["disable", "enable"] {
        server.admin_post(&format!("/clients/app/{verb}"), json!({})).await.assert_ok();
        server.refresh("app", &less.str("refresh_token")).await.assert_error(400, "invalid_grant");
        server.get_as("/api/profile", &less.str("access_token")).await.assert_error(401, "invalid_token");
    }
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let allowed = server.exchange(&secret, &code).await.assert_ok();
    let page = browser.open("/account").await.page_at("/account");
    let fields = [("csrf", page.form().csrf().to_owned()), ("id", "shop".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(browser.post("/account/permissions/withdraw", &fields).await.status, 303);
    server.refresh_shop(&secret, &allowed.str("refresh_token")).await.assert_error(400, "invalid_grant");
    probe.nothing_lost(&server).await;
});
