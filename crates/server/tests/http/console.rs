//! The operator's console, as a browser meets it.

use std::time::Duration;

use ::http::header;
use serde_json::json;

use crate::browser::{Browser, Page};
use crate::feed::{Events, follow, reader};
use crate::on_both;
use crate::relying::PASSWORD;
use crate::sign_in::assert_page;
use crate::support::TestServer;

const ROLE: &str = "countersign-admin";
const SECTIONS: [&str; 7] = ["users", "clients", "sessions", "events", "now", "keys", "revoke"];

impl TestServer {
    /// A user `root` who is an operator; gives the id.
    async fn operator(&self) -> String {
        let body = json!({"username": "root", "password": PASSWORD, "roles": [ROLE]});
        self.admin_post("/users", body).await.assert_ok().str("user_id")
    }

    /// A browser in which `name` came from the console's sign-in page.
    async fn browser_of(&self, name: &str) -> (Browser<'_>, Page) {
        let mut browser = Browser::new(self);
        let page = browser.open("/console").await.page_at("/signin");
        let page = browser.sign_in(&page, name, PASSWORD).await.page();
        (browser, page)
    }

    async fn is_live(&self, sid: &str) -> bool {
        self.admin(::http::Method::GET, &format!("/sessions/{sid}"), json!(null)).await.str("status")
            == "live"
    }
}

/// The token of the forms of a page of the console.
async fn csrf(browser: &mut Browser<'_>) -> String {
    browser.open("/console/revoke").await.page_at("/console/revoke").form().csrf().to_owned()
}

on_both!(who_is_not_signed_in_signs_in_and_comes_back, |server| {
    server.operator().await;
    for section in SECTIONS {
        let mut browser = Browser::new(&server);
        let path = format!("/console/{section}?user=x%22&cursor=1");
        let page = browser.open(&path).await.page_at("/signin");
        let page = browser.sign_in(&page, "root", PASSWORD).await.page();
        assert_eq!((page.path.as_str(), page.answer.status.as_u16()), (path.as_str(), 200));
    }
    let mut browser = Browser::new(&server);
    let far = format!("/console/users?name={}", "x".repeat(2000));
    let page = browser.open(&far).await.page_at("/signin");
    browser.sign_in(&page, "root", PASSWORD).await.page_at("/console/sessions");
    // Nor does a form do anything.
    let answer = Browser::new(&server).post("/console/keys/rotate", &[("csrf", "x")]).await;
    assert!(answer.header(header::LOCATION).starts_with("/signin?"), "{answer:?}");
});

on_both!(without_the_role_there_is_nothing_to_see, |server| {
    let pair = server.alice().await;
    server.person("bob").await;
    let tenant = json!({"username": "t", "password": PASSWORD, "roles": [ROLE], "tenant": "north"});
    server.admin_post("/users", tenant).await.assert_ok();
    for name in ["bob", "t"] {
        let (mut browser, page) = server.browser_of(name).await;
        assert_eq!(page.answer.status, 403, "{name}");
        for section in SECTIONS {
            let answer = browser.get(&format!("/console/{section}")).await;
            assert_eq!(answer.status, 403, "{name} {section}");
            assert_page(&answer);
        }
        for path in ["users/alice", "users/nobody", "clients/app", "sessions/x"] {
            assert_eq!(browser.get(&format!("/console/{path}")).await.status, 403, "{name} {path}");
        }
        let own = browser.open("/account").await.page_at("/account");
        let csrf = own.form().csrf().to_owned();
        for path in ["users/alice/disable", "users/alice/sign-out", "clients/app/disable", "keys/rotate"] {
            let answer = browser.post(&format!("/console/{path}"), &[("csrf", &csrf)]).await;
            assert_eq!(answer.status, 403, "{name} {path}");
        }
        let fields = [("csrf", csrf.as_str()), ("kind", "everything"), ("action", "revoke")];
        assert_eq!(browser.post("/console/revoke", &fields).await.status, 403);
    }
    assert!(server.is_live(&pair.sid).await);
});

on_both!(a_role_that_is_taken_away_is_gone_at_once, |server| {
    server.operator().await;
    let (mut browser, _) = server.browser_of("root").await;
    assert_eq!(browser.get("/console/users").await.status, 200);
    server.admin_post("/users/root/roles", json!({"roles": []})).await.assert_ok();
    let page = browser.open("/console/users").await.page_at("/signin");
    assert_eq!(browser.sign_in(&page, "root", PASSWORD).await.page().answer.status, 403);
});

on_both!(lists_and_records_show_hostile_names_as_words, |server| {
    server.operator().await;
    let evil = "\"><script>alert(1)</script>";
    let user = server.user(evil).await;
    server.public_client("app").await;
    let body = json!({"user": user, "client": "app", "device": evil});
    let sid = server.admin_post("/sessions", body).await.assert_ok().str("session_id");
    let (mut browser, _) = server.browser_of("root").await;
    let records = [format!("users/{user}"), "clients/app".to_owned(), format!("sessions/{sid}")];
    for path in SECTIONS.map(str::to_owned).iter().chain(&records) {
        let page = browser.open(&format!("/console/{path}")).await.page();
        assert_eq!(page.answer.status, 200, "{path}");
        assert_page(&page.answer);
        assert!(!page.answer.text.contains("<script>alert"), "{path}");
    }
    for path in ["users", "sessions", "events"] {
        let page = browser.open(&format!("/console/{path}")).await.page();
        assert!(page.answer.text.contains("&#60;script&#62;alert(1)"), "{path}: {}", page.answer.text);
    }
    let name = form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    let filtered = browser.open(&format!("/console/sessions?user={name}&state=live")).await.page();
    assert!(filtered.answer.text.contains(&sid));
    let by_name = name.replace('+', "%20");
    assert_eq!(browser.get(&format!("/console/users/{by_name}")).await.status, 200);
    let missing = format!("sessions/{user}");
    for path in ["users/nobody", "clients/none", "sessions/x", missing.as_str()] {
        let answer = browser.get(&format!("/console/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_page(&answer);
    }
});

on_both!(filters_and_parts_of_lists, |server| {
    server.operator().await;
    let pair = server.alice().await;
    for number in 0..51 {
        server.user(&format!("user{number:02}")).await;
    }
    let (mut browser, _) = server.browser_of("root").await;
    let first = browser.open("/console/users?name=user").await.page();
    assert!(first.answer.text.contains("user49") && !first.answer.text.contains("user50"));
    let next = first.answer.text.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.starts_with("/console/users?name=user&cursor="), "{next}");
    let second = browser.open(&next).await.page();
    assert!(second.answer.text.contains("user50") && !second.answer.text.contains("user49"));
    // A cursor of another list, or none of ours, is no cursor.
    let foreign = next.replace("/users?", "/events?");
    assert_eq!(browser.get(&foreign).await.status, 200);
    let from_the_start = browser.open("/console/users?name=user&cursor=AAAA").await.page();
    assert!(from_the_start.answer.text.contains("user00"));
    for (query, shown) in [
        ("user=alice", true),
        ("user=nobody", false),
        ("client=app", true),
        ("client=a%20b", false),
        ("state=live", true),
        ("state=ended", false),
        ("state=%3Cb%3E", true),
    ] {
        let page = browser.open(&format!("/console/sessions?{query}")).await.page();
        assert_eq!(page.answer.status, 200, "{query}");
        assert_eq!(page.answer.text.contains(&pair.sid), shown, "{query}");
    }
});

on_both!(a_form_that_is_not_ours_changes_nothing, |server| {
    server.operator().await;
    let pair = server.alice().await;
    let (mut browser, _) = server.browser_of("root").await;
    let good = csrf(&mut browser).await;
    for (token, site) in [("", "same-origin"), ("x", "same-origin"), (good.as_str(), "cross-site")] {
        for path in ["users/alice/disable", "users/alice/sign-out", "clients/app/disable", "keys/rotate"] {
            let fields = [("csrf", token)];
            let path = format!("/console/{path}");
            let answer = browser.post_with(&path, &fields, &[("sec-fetch-site", site)]).await;
            assert_eq!(answer.status, 400, "{path}");
        }
        let fields = [("csrf", token), ("kind", "everything"), ("action", "revoke")];
        let answer = browser.post_with("/console/revoke", &fields, &[("sec-fetch-site", site)]).await;
        assert_eq!(answer.status, 400);
    }
    assert!(server.is_live(&pair.sid).await);
});

on_both!(without_a_recent_authentication_the_operator_confirms_first, |server| {
    server.operator().await;
    let pair = server.alice().await;
    let (mut browser, _) = server.browser_of("root").await;
    server.advance(Duration::from_secs(601));
    let page = browser.open("/console/users/alice").await.page_at("/console/users/alice");
    let form = page.form();
    assert!(form.action.ends_with("/disable"), "{form:?}");
    let confirm = browser.submit(&page, &[]).await.page_at("/signin/confirm");
    assert!(server.is_live(&pair.sid).await);
    let page = browser.submit(&confirm, &[("password", PASSWORD)]).await.page();
    // Back on the page, and still nothing is done: the form is sent again.
    assert!(page.path.starts_with("/console/users/") && page.answer.status == 200, "{}", page.path);
    assert!(server.is_live(&pair.sid).await);
    browser.submit(&page, &[]).await.page();
    assert!(!server.is_live(&pair.sid).await);
    // What was to be revoked is still in the form afterwards.
    server.advance(Duration::from_secs(601));
    let csrf = csrf(&mut browser).await;
    let fields = [("csrf", csrf.as_str()), ("kind", "client"), ("target", "app"), ("action", "revoke")];
    let answer = browser.post("/console/revoke", &fields).await;
    let confirm = browser.follow("/console/revoke", answer).await.page_at("/signin/confirm");
    let page = browser.submit(&confirm, &[("password", PASSWORD)]).await.page_at("/console/revoke");
    assert_eq!(page.value("target").as_deref(), Some("app"));
});

on_both!(a_user_who_is_disabled_is_out_and_the_operator_is_named, |server| {
    let root = server.operator().await;
    let pair = server.alice().await;
    let (mut browser, _) = server.browser_of("root").await;
    let page = browser.open("/console/users/alice").await.page();
    let page = browser.submit(&page, &[]).await.page();
    assert!(page.form().action.ends_with("/enable"), "{}", page.answer.text);
    assert!(!server.is_live(&pair.sid).await);
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    let events = browser.open("/console/events?kind=admin").await.page();
    let told = format!("an operator disabled the user: root ({root})");
    assert!(events.answer.text.contains(&told), "{}", events.answer.text);
    browser.submit(&page, &[]).await.page();
    assert!(!server.is_live(&pair.sid).await, "enabling brings nothing back");
});

on_both!(a_client_that_is_disabled_gets_nothing, |server| {
    server.operator().await;
    let pair = server.alice().await;
    let (mut browser, _) = server.browser_of("root").await;
    let page = browser.open("/console/clients/app").await.page();
    let page = browser.submit(&page, &[]).await.page();
    assert!(page.form().action.ends_with("/clients/app/enable"), "{}", page.answer.text);
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(a_revocation_is_previewed_and_then_receipted, |server| {
    server.operator().await;
    let pair = server.alice().await;
    let other = server.session("alice", "app").await;
    let (mut browser, _) = server.browser_of("root").await;
    let page = browser.open(&format!("/console/sessions/{}", pair.sid)).await.page();
    let preview = browser.submit(&page, &[]).await.page_at("/console/revoke");
    assert!(preview.answer.text.contains("sessions that end"), "{}", preview.answer.text);
    assert!(server.is_live(&pair.sid).await);
    let receipt = browser.submit(&preview, &[("action", "revoke")]).await.page_at("/console/revoke");
    assert!(receipt.answer.text.contains("number in the revocation log"), "{}", receipt.answer.text);
    assert!(receipt.answer.text.contains("last access token expires"));
    assert!(!server.is_live(&pair.sid).await && server.is_live(&other.sid).await);
    let events = browser.open("/console/events?kind=admin").await.page();
    assert!(events.answer.text.contains("an operator revoked the session: root ("), "{}", events.answer.text);

    let form = browser.open("/console/revoke").await.page();
    for (kind, target) in
        [("user", "nobody"), ("client", "none"), ("session", "x"), ("tenant", ""), ("everything", "x")]
    {
        let typed = [("kind", kind), ("target", target), ("action", "revoke")];
        let again = browser.submit(&form, &typed).await.page();
        assert_eq!(again.answer.status, 422, "{kind}");
        assert_eq!(again.value("target").as_deref(), Some(target));
    }
    for (kind, target) in [("token", "some-jti"), ("user", "alice"), ("client", "app"), ("tenant", "north")] {
        let typed = [("kind", kind), ("target", target), ("action", "preview")];
        browser.submit(&form, &typed).await.page_at("/console/revoke");
    }
    assert!(server.is_live(&other.sid).await);
    // Whoever ends everything sees the receipt, and is signed out.
    let preview = browser.submit(&form, &[("kind", "everything"), ("target", "")]).await.page();
    let receipt = browser.submit(&preview, &[("action", "revoke")]).await.page_at("/console/revoke");
    assert!(receipt.answer.text.contains("all of them"), "{}", receipt.answer.text);
    assert!(!server.is_live(&other.sid).await);
    browser.open("/console/users").await.page_at("/signin");
});

on_both!(keys_are_replaced, |server| {
    server.operator().await;
    let (mut browser, _) = server.browser_of("root").await;
    let page = browser.open("/console/keys").await.page();
    let rows = |page: &Page| page.answer.text.matches("<tr>").count();
    let before = rows(&page);
    let after = browser.submit(&page, &[]).await.page_at("/console/keys");
    assert!(rows(&after) > before, "{}", after.answer.text);
});

on_both!(operators_see_how_far_the_readers_of_the_feed_are, |server| {
    server.operator().await;
    let (mut browser, _) = server.browser_of("root").await;
    let page = browser.open("/console/now").await.page();
    assert!(page.answer.text.contains("No API follows the feed at this node"), "{}", page.answer.text);
    let token = reader(&server, "api").await;
    let task = follow(&server);
    let mut events = Events::open(&server, &token, None).await;
    assert_eq!(events.next().await.unwrap().name, "heartbeat");
    let page = browser.open("/console/now").await.page();
    for expected in [">connected<", "/console/clients/api\">", "<b class=\"badge good\">0</b>"] {
        assert!(page.answer.text.contains(expected), "{expected} in {}", page.answer.text);
    }
    task.abort();
});
