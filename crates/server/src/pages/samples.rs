//! Every page with something in it, for the tests: each text of a view goes through `x`, so that a test can
//! put what it likes there.

mod console;
pub(crate) mod demo;

use super::*;
use crate::time::Timestamp;

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
        base: String::new(),
        signed_in_as: Some(x("mara@example.org")),
        account_url: Some(x("/account")),
        console_url: Some(x("/console")),
        sign_out_url: Some(x("/oauth/logout")),
    }
}

/// All pages.
pub(crate) fn all(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let mut all = sign_in_pages(lang, x);
    all.extend(oauth_pages(lang, x));
    all.extend(device_pages(lang, x));
    all.extend(account_pages(lang, x));
    all.extend(decode_pages(lang, x));
    all.extend(demo::pages(lang, x));
    all.extend(console::pages(lang, x));
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

fn device_pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let empty = Device { action: x("/device"), csrf: x("csrf-token"), ..Device::default() };
    let wrong = Device { user_code: x("WDJB-MJHT"), problem: Some(DeviceProblem::Unknown), ..empty.clone() };
    let confirm = DeviceConfirm {
        action: x("/device/confirm"),
        csrf: x("csrf-token"),
        client: x("Northwind TV"),
        user_code: x("WDJB-MJHT"),
        place: Some(x("Hamburg, 203.0.113.0/24")),
        scopes: scopes(lang, x),
    };
    let done = |allowed| DeviceDone { allowed, client: x("Northwind TV") };
    vec![
        ("device", device(&chrome, &empty)),
        ("device_wrong", device(&chrome, &wrong)),
        ("device_confirm", device_confirm(&chrome, &confirm)),
        ("device_allowed", device_done(&chrome, &done(true))),
        ("device_denied", device_done(&chrome, &done(false))),
    ]
}

/// Some time in November 2026, and minutes later.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp(1_795_420_800_000 + minutes * 60_000)
}

fn account_pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let actions = AccountActions {
        end_browser: x("/account/browsers/end"),
        end_session: x("/account/sessions/end"),
        end_others: x("/account/others/end"),
        change_password: x("/account/password"),
        add_totp: x("/account/totp"),
        remove_totp: x("/account/totp/remove"),
        remove_passkey: x("/account/passkeys/remove"),
        new_recovery_codes: x("/account/recovery-codes"),
        withdraw: x("/account/permissions/withdraw"),
        accept_sign_in: x("/account/sign-ins/accept"),
        refuse_sign_in: x("/account/sign-ins/refuse"),
    };
    let new = |id: &str, may_accept| NewSignInRow {
        id: x(id),
        device: x("Chrome, Windows"),
        network: Some(x("198.51.100.0/24")),
        at: at(-30),
        may_accept,
    };
    let browser = |id: &str, device: &str, network: &str, current| BrowserRow {
        id: x(id),
        device: x(device),
        network: Some(x(network)),
        first_seen: at(-9000),
        last_seen: at(if current { 0 } else { -400 }),
        current,
    };
    let session = |id: &str, client: &str, device: &str, ended| ApplicationRow {
        id: x(id),
        client: x(client),
        device: Some(x(device)),
        network: Some(x("203.0.113.0/24")),
        first_seen: at(-8000),
        last_seen: at(-15),
        scopes: vec![x("openid"), x("mail:send")],
        ended,
    };
    let why = "A refresh token of this session was used twice, so somebody else had a copy of it.";
    let stolen = EndedRow { why: x(why), at: Some(at(-40)), alarming: true };
    let signed_out = EndedRow { why: x("You signed out."), at: None, alarming: false };
    let full = Account {
        csrf: x("csrf-token"),
        new_sign_ins: vec![new("place-1", true), new("place-2", false)],
        actions,
        flash: Some(Notice::PasswordChanged(3).flash(lang)),
        username: x("mara"),
        browsers: vec![
            browser("b1", "Firefox on Linux", "203.0.113.0/24", true),
            browser("b2", "Safari on an iPhone", "198.51.100.0/24", false),
        ],
        applications: vec![
            session("s1", "Northwind Mail", "Mara's laptop", None),
            session("s2", "Northwind Files", "Pixel 9", Some(stolen)),
            session("s3", "Northwind Mail", "Library PC", Some(signed_out)),
        ],
        password_min: 12,
        password_problem: None,
        totp_since: Some(at(-5000)),
        passkeys: vec![
            PasskeyRow { id: x("p1"), label: x("Laptop"), added: at(-4000), last_used: Some(at(-10)) },
            PasskeyRow { id: x("p2"), label: x("Blue key"), added: at(-3000), last_used: None },
        ],
        add_passkey: passkey(x),
        recovery_left: Some(7),
        permissions: vec![PermissionRow {
            id: x("mail"),
            client: x("Northwind Mail"),
            scopes: scopes(lang, x),
            since: at(-8000),
        }],
    };
    let new = Account {
        flash: Some(Flash { kind: FlashKind::Failed, text: x("No.") }),
        applications: Vec::new(),
        permissions: Vec::new(),
        passkeys: Vec::new(),
        totp_since: None,
        recovery_left: None,
        password_problem: Some(PasswordProblem::WrongCurrent),
        ..full.clone()
    };
    let enrol = TotpEnrol {
        action: x("/account/totp/confirm"),
        csrf: x("csrf-token"),
        qr_svg: QR.to_owned(),
        secret: x("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        wrong: true,
        cancel_url: x("/account"),
    };
    let codes = RecoveryCodes {
        codes: (0..10).map(|number| x(&format!("k7qm-{number}f3x"))).collect(),
        continue_url: x("/account"),
    };
    vec![
        ("account", account(&chrome, &full)),
        ("account_new", account(&chrome, &new)),
        ("totp_enrol", totp_enrol(&chrome, &enrol)),
        ("recovery_codes", recovery_codes(&chrome, &codes)),
    ]
}

fn decode_pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let view = Decode {
        issuer: x("https://login.example.org"),
        report_url: x("https://login.example.org/leaked-tokens"),
    };
    vec![("decode", decode(&chrome(lang, x), &view))]
}

const QR: &str = "<svg viewBox=\"0 0 4 4\"><path d=\"M0 0h1v1H0zM2 0h1v1H2zM1 1h1v2H1zM3 2h1v2H3z\"/></svg>";
