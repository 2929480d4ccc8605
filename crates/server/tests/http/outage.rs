//! The store away: 503 and never a "no", and no restart to recover.

use http::{StatusCode, header};

use crate::attack_list::Probe;
use crate::support::TestServer;
use crate::support::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_17_a_revocation_while_the_database_is_away() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
    let server = TestServer::start_on_own(cluster).await;
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let spent = server.session("alice", "app").await;
    let live = server.refresh("app", &spent.refresh).await.assert_ok().str("refresh_token");

    cluster.crash();
    // Live, spent and about to be revoked: nothing is decided about any of them.
    for token in [&pair.refresh, &spent.refresh] {
        let answer = server.refresh("app", token).await;
        answer.assert_error(503, "temporarily_unavailable");
        assert_eq!(answer.header(header::RETRY_AFTER), "1");
    }
    let revoke = server.form("/oauth/revoke", &[("client_id", "app"), ("token", &pair.refresh)]).await;
    revoke.assert_error(503, "temporarily_unavailable");
    server.get_as("/api/profile", &pair.access).await.assert_error(503, "temporarily_unavailable");
    let list = server.get("/status-lists/0").await;
    list.assert_error(503, "temporarily_unavailable");
    assert_eq!(list.header(header::RETRY_AFTER), "1");
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    // What needs no store is refused without it.
    server.refresh("app", "rft_nonsense").await.assert_error(400, "invalid_grant");

    cluster.start_again();
    let next = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    // The revocation that was not answered was not done, and can be.
    server.form("/oauth/revoke", &[("client_id", "app"), ("token", &next)]).await.assert_ok();
    server.refresh("app", &next).await.assert_error(400, "invalid_grant");
    server.refresh("app", &live).await.assert_ok();
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    assert!(server.app.metrics.encode().contains("countersign_store_errors_total{kind=\"unavailable\"}"));
    probe.nothing_lost(&server).await;
}
