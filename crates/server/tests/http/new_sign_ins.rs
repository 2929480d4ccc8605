//! A sign-in from where the person was not known is told to them until they say whether it was theirs.

use std::net::Ipv4Addr;
use std::time::Duration;

use ::http::{Request, header};
use axum::body::Body;

use crate::browser::{Browser, Page};
use crate::on_both;
use crate::relying::PASSWORD;
use crate::sign_in::assert_page;
use crate::support::{Answer, TestServer};

const LAPTOP: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
const LAPTOP_LATER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/157.0 Safari/537.36";
const PHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604.1";
const QUESTION: &str = "New sign-in: was this you?";

/// A browser in the network of that number in which alice has signed in, some minutes after whatever
/// was before, and her account page.
async fn sign_in<'s>(server: &'s TestServer, network: u8, agent: &'static str) -> (Browser<'s>, Page) {
    server.advance(Duration::from_secs(300));
    let mut browser = Browser::at(server, Ipv4Addr::new(198, 51, network, 7));
    browser.agent = agent;
    let page = browser.open("/account").await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/account");
    (browser, page)
}

async fn account(browser: &mut Browser<'_>) -> Page {
    browser.open("/account").await.page_at("/account")
}

/// The id with which a page asks about a sign-in from the network of that number, and whether it may be
/// accepted there.
fn asked(page: &Page, network: u8) -> Option<(String, bool)> {
    let (_, section) = page.answer.text.split_once("aria-labelledby=\"new-sign-ins\"")?;
    let section = section.split_once("</section>").unwrap().0;
    let row = section.split("<li").find(|row| row.contains(&format!("198.51.{network}.0/24")))?;
    let id = row.split_once("name=\"id\" value=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(row.contains("/account/sign-ins/refuse"), "{row}");
    Some((id.to_owned(), row.contains("/account/sign-ins/accept")))
}

/// Says something of a sign-in, and gives the page after that.
async fn say(browser: &mut Browser<'_>, page: &Page, what: &str, id: &str) -> Page {
    let path = format!("/account/sign-ins/{what}");
    let form = page.form();
    let answer = browser.post(&path, &[("csrf", form.csrf()), ("id", id)]).await;
    browser.follow(&path, answer).await.page_at("/account")
}

on_both!(a_sign_in_like_those_before_is_not_new, |server| {
    server.person("alice").await;
    let (mut laptop, page) = sign_in(&server, 1, LAPTOP).await;
    assert!(!page.answer.text.contains(QUESTION), "nobody is asked about the first");
    let page_out = laptop.open("/oauth/logout").await.page_at("/oauth/logout");
    laptop.submit(&page_out, &[("action", "yes")]).await.page();
    // After signing out, after an update, after months, and after a restart.
    for agent in [LAPTOP, LAPTOP_LATER] {
        server.advance(Duration::from_secs(100 * 86_400));
        let (mut browser, page) = sign_in(&server, 1, agent).await;
        assert!(!page.answer.text.contains(QUESTION), "{agent}");
        assert!(!account(&mut browser).await.answer.text.contains(QUESTION), "{agent}");
    }
    let server = server.restarted().await;
    let (_, page) = sign_in(&server, 1, LAPTOP).await;
    assert!(!page.answer.text.contains(QUESTION));
});

on_both!(a_new_sign_in_is_told_until_the_person_says_that_it_was_them, |server| {
    server.person("alice").await;
    let (mut laptop, _) = sign_in(&server, 1, LAPTOP).await;
    let (mut phone, page) = sign_in(&server, 2, PHONE).await;
    assert!(!page.answer.text.contains(QUESTION), "its own browser has nothing to say of it");

    let page = account(&mut laptop).await;
    assert_page(&page.answer);
    for words in [QUESTION, "Safari, iPhone", "198.51.2.0/24"] {
        assert!(page.answer.text.contains(words), "{words}: {}", page.answer.text);
    }
    let german = Request::get("/account").header(header::ACCEPT_LANGUAGE, "de").body(Body::empty()).unwrap();
    let german = laptop.send(german).await.text;
    assert!(
        german.contains("Neue Anmeldung: Waren Sie das?") && german.contains("Ja, das war ich"),
        "{german}"
    );
    let (id, may_accept) = asked(&page, 2).unwrap();
    assert!(may_accept);
    // Looking at it is no answer, nor is a form of somebody else's making, nor a link.
    assert_eq!(laptop.get(&format!("/account/sign-ins/accept?id={id}")).await.status, 303);
    for headers in [[("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-origin")]] {
        let answer =
            laptop.post_with("/account/sign-ins/accept", &[("csrf", "x"), ("id", &id)], &headers).await;
        assert_eq!(answer.status, 303);
    }
    assert!(asked(&account(&mut laptop).await, 2).is_some());
    // Not even a restart answers it.
    let page = say(&mut laptop, &page, "accept", &id).await;
    assert!(page.answer.text.contains("We know it from now on") && asked(&page, 2).is_none());
    account(&mut phone).await;
    let page = say(&mut laptop, &page, "accept", &id).await;
    assert!(page.answer.text.contains("nothing was changed"), "it is said once");
    // Known from now on.
    sign_in(&server, 2, PHONE).await;
    assert!(asked(&account(&mut laptop).await, 2).is_none());
    // The same phone elsewhere, and another device in the same place, are new.
    sign_in(&server, 3, PHONE).await;
    sign_in(&server, 2, LAPTOP).await;
    let page = account(&mut laptop).await;
    assert!(asked(&page, 3).is_some() && asked(&page, 2).is_some());
});

on_both!(who_got_in_cannot_put_the_sign_of_it_away, |server| {
    server.person("alice").await;
    let (mut laptop, _) = sign_in(&server, 1, LAPTOP).await;
    let (mut thief, page) = sign_in(&server, 66, PHONE).await;
    let (id, may_accept) = asked(&account(&mut laptop).await, 66).unwrap();
    assert!(may_accept);
    // Not where it was, not after moving on, and not by signing in once more.
    let answered = say(&mut thief, &page, "accept", &id).await;
    assert!(answered.answer.text.contains("nothing was changed"));
    thief.address = Ipv4Addr::new(198, 51, 67, 7).into();
    let (mut again, page) = sign_in(&server, 68, PHONE).await;
    for browser in [&mut thief, &mut again] {
        let page = account(browser).await;
        if let Some((_, may_accept)) = asked(&page, 66) {
            assert!(!may_accept);
            assert!(page.answer.text.contains("used for longer"), "{}", page.answer.text);
        }
        for what in ["accept", "refuse"] {
            say(browser, &page, what, "01900000-0000-7000-8000-000000000000").await;
        }
        let page = account(browser).await;
        say(browser, &page, "accept", &id).await;
        assert!(asked(&account(&mut laptop).await, 66).is_some());
    }
    assert!(asked(&page, 66).is_some_and(|(_, may_accept)| !may_accept));

    // The one who was there before ends it; what came after it is a question of its own.
    let page = account(&mut laptop).await;
    let page = say(&mut laptop, &page, "refuse", &id).await;
    assert!(page.answer.text.contains("change your password"), "{}", page.answer.text);
    assert!(asked(&page, 66).is_none());
    thief.open("/account").await.page_at("/signin");
    let (id, may_accept) = asked(&page, 68).unwrap();
    assert!(may_accept);
    account(&mut again).await;
    say(&mut laptop, &page, "refuse", &id).await;
    again.open("/account").await.page_at("/signin");
    let page = account(&mut laptop).await;
    assert!(!page.answer.text.contains(QUESTION), "{}", page.answer.text);

    // It is not known there: a sign-in is new once more, and guessing from there is counted.
    sign_in(&server, 66, PHONE).await;
    assert!(asked(&account(&mut laptop).await, 66).is_some());
    let place = server.app.store.has_place_in("alice", "198.51.68.0/24").await.unwrap();
    assert!(!place);
    // Who is not signed in is asked to.
    let answer: Answer = Browser::new(&server).post("/account/sign-ins/refuse", &[("id", &id)]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header(header::LOCATION).contains("/signin"));
});
