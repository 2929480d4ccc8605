//! Every page with something in it, for the tests: each text of a view goes through `x`, so that a test can
//! put what it likes there.

use super::*;

/// A page's name and the page.
pub(crate) type Sample = (&'static str, Result<String, askama::Error>);

/// What an attacker would like to have written as it is.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> &amp; {{7*7}}";

/// The frame of the samples.
pub(crate) fn chrome(lang: Lang, x: &dyn Fn(&str) -> String) -> Chrome {
    let links = vec![
        Link { text: x("Privacy"), url: x("/privacy") },
        Link { text: x("Imprint"), url: x("/imprint") },
    ];
    Chrome {
        lang,
        brand: Brand { name: x("Northwind"), links, ..Brand::default() },
        signed_in_as: Some(x("mara@example.org")),
        account_url: Some(x("/account")),
        sign_out_url: Some(x("/oauth/logout")),
    }
}

/// All pages.
pub(crate) fn all(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let mut all = sign_in_pages(lang, x);
    all.extend(oauth_pages(lang, x));
    all
}

fn passkey(x: &dyn Fn(&str) -> String) -> Option<PasskeyPrompt> {
    let options = x(r#"{"challenge":"AAAA","rpId":"localhost","userVerification":"required"}"#);
    Some(PasskeyPrompt { action: x("/sign-in/passkey"), options })
}

fn sign_in_pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let first = SignIn {
        action: x("/sign-in"),
        csrf: x("csrf-token"),
        client: Some(x("Northwind Mail")),
        offer_remember: true,
        can_cancel: true,
        passkey: passkey(x),
        ..SignIn::default()
    };
    let wrong =
        SignIn { username: x("mara"), remember: true, problem: Some(SignInProblem::Wrong), ..first.clone() };
    let later = SignIn { problem: Some(SignInProblem::TryLater { seconds: 240 }), ..wrong.clone() };
    let again =
        SignIn { reauthenticate: true, offer_remember: false, client: None, problem: None, ..wrong.clone() };
    let totp = SecondFactor {
        action: x("/sign-in/factor"),
        csrf: x("csrf-token"),
        client: Some(x("Northwind Mail")),
        method: SecondFactorMethod::Totp,
        other_url: Some(x("/sign-in/factor?with=recovery")),
        problem: None,
        passkey: passkey(x),
    };
    let totp_wrong = SecondFactor { problem: Some(FactorProblem::Wrong), ..totp.clone() };
    let recovery = SecondFactor {
        method: SecondFactorMethod::Recovery,
        problem: Some(FactorProblem::WrongRecovery),
        passkey: None,
        ..totp.clone()
    };
    let by_passkey = SecondFactor { method: SecondFactorMethod::Passkey, ..totp.clone() };
    vec![
        ("sign_in", sign_in(&chrome, &first)),
        ("sign_in_wrong", sign_in(&chrome, &wrong)),
        ("sign_in_later", sign_in(&chrome, &later)),
        ("sign_in_again", sign_in(&chrome, &again)),
        ("factor_totp", second_factor(&chrome, &totp)),
        ("factor_totp_wrong", second_factor(&chrome, &totp_wrong)),
        ("factor_recovery", second_factor(&chrome, &recovery)),
        ("factor_passkey", second_factor(&chrome, &by_passkey)),
    ]
}

/// Scopes, the last of them new.
pub(super) fn scopes(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<ScopeLine> {
    let line = |name: &str, new| ScopeLine {
        name: x(name),
        text: lang.scope_in_words(name).map(x).unwrap_or_default(),
        new,
    };
    vec![line("openid", false), line("email", false), line("mail:send", true)]
}

fn oauth_pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let wider = Consent {
        action: x("/consent"),
        csrf: x("csrf-token"),
        client: x("Northwind Mail"),
        scopes: scopes(lang, x),
        redirect_host: x("mail.example.org"),
        ..Consent::default()
    };
    let first = Consent { first_time: true, unverified: true, ..wider.clone() };
    let nothing = Consent { scopes: Vec::new(), ..first.clone() };
    let post = FormPost {
        action: x("https://mail.example.org/callback"),
        fields: vec![(x("code"), x("abc")), (x("state"), x("xyz"))],
    };
    let logout = LogoutConfirm {
        action: x("/oauth/logout"),
        csrf: x("csrf-token"),
        client: Some(x("Northwind Mail")),
        fields: vec![(x("state"), x("xyz"))],
    };
    let out = SignedOut { client: Some(x("Northwind Mail")), back_url: Some(x("https://mail.example.org/")) };
    let anonymous = Chrome { signed_in_as: None, ..chrome.clone() };
    let mut pages = vec![
        ("consent_wider", consent(&chrome, &wider)),
        ("consent_first", consent(&chrome, &first)),
        ("consent_nothing", consent(&chrome, &nothing)),
        ("form_post", form_post(&anonymous, &post)),
        ("logout_confirm", logout_confirm(&chrome, &logout)),
        ("signed_out", signed_out(&anonymous, &out)),
        ("signed_out_plain", signed_out(&anonymous, &SignedOut::default())),
    ];
    pages.extend(Fault::ALL.into_iter().map(|fault| {
        let view = ErrorPage {
            fault,
            detail: (fault == Fault::BadRedirect)
                .then(|| x("redirect_uri is not registered for this client")),
            request_id: x("0199f0b2-7c1d-7aa0-9d3e-3f0f5e2d9a11"),
            back_url: (fault == Fault::NotFound).then(|| x("/account")),
        };
        ("error", error(&chrome, &view))
    }));
    pages
}
