//! The authorization code from the application's button to its tokens (OAuth 2.1 section 4.1).

use serde_json::json;

use crate::browser::Browser;
use crate::on_both;
use crate::relying::{CALLBACK, PASSWORD, claims, request};
use crate::support::AUDIENCE;

on_both!(a_person_signs_in_agrees_and_signs_out_again, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);

    let page = browser.ask(&request()).await.page_at("/signin");
    assert!(page.answer.text.contains("shop"), "the page says for whom: {}", page.answer.text);
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    let away = browser.submit(&page, &[("action", "allow")]).await.away();
    assert!(away.url.starts_with(&format!("{CALLBACK}?code=")), "{}", away.url);
    assert_eq!(away.parameter("state"), "s-1");
    assert_eq!(away.parameter("iss"), "https://auth.example");
    assert_eq!(away.parameters().len(), 3, "{}", away.url);

    let answer = server.exchange(&secret, &away.parameter("code")).await.assert_ok();
    assert_eq!(answer.json()["scope"], "openid read");
    let id = claims(&answer.str("id_token"));
    assert_eq!((&id["aud"], &id["nonce"]), (&json!("shop"), &json!("n-1")));
    let access = answer.str("access_token");
    assert_eq!(claims(&access)["aud"], json!([AUDIENCE, "https://auth.example"]));
    assert_eq!(server.get_as("/api/profile", &access).await.status, 200);
    let person = server.get_as("/oauth/userinfo", &access).await.assert_ok();
    assert_eq!(person.json(), json!({"sub": id["sub"]}));

    let refreshed = server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_ok();
    assert_eq!(claims(&refreshed.str("id_token"))["sub"], id["sub"]);

    assert!(browser.session().is_some());
    let page = browser.open("/oauth/logout").await.page_at("/oauth/logout");
    browser.submit(&page, &[("action", "yes")]).await.page_at("/oauth/logout");
    assert_eq!(browser.session(), None);
    let text = server
        .refresh_shop(&secret, &refreshed.str("refresh_token"))
        .await
        .assert_error(400, "invalid_grant");
    assert!(text.contains("signed out"), "{text}");
});
