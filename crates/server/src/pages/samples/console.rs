//! The operator's console.

use super::*;
use crate::flows::keys::KeyState;
use crate::metrics::{Doing, Rate};

pub(super) fn pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let urls = ConsoleUrls {
        users: x("/console/users"),
        clients: x("/console/clients"),
        sessions: x("/console/sessions"),
        events: x("/console/events"),
        now: x("/console/now"),
        keys: x("/console/keys"),
        revoke: x("/console/revoke"),
    };
    let field = |kind, name: &str, value: &str, options: &[&str]| FilterField {
        kind,
        name: x(name),
        value: x(value),
        options: options.iter().map(|option| x(option)).collect(),
    };
    let filter = Filter {
        action: x("/console/list"),
        fields: vec![
            field(FilterKind::User, "user", "mara", &[]),
            field(FilterKind::Client, "client", "", &[]),
            field(FilterKind::State, "state", "live", &["live", "ended"]),
        ],
    };
    let next = Some(x("/console/list?after=42"));
    let named = |text: &str| Named { text: x(text), url: Some(x("/console/x")) };
    let action = |verb| ConsoleAction { verb, action: x("/console/do"), fields: vec![(x("id"), x("1"))] };
    let user = |name: &str, enabled| UserRow {
        url: x("/console/users/1"),
        username: x(name),
        email: Some(x("mara@example.org")),
        tenant: None,
        roles: vec![x("operator"), x("reader")],
        enabled,
        created: at(-90_000),
    };
    let client = |id: &str, enabled| ClientRow {
        url: x("/console/clients/mail"),
        id: x(id),
        kind: x("web"),
        token_format: x("jwt"),
        tenant: Some(x("north")),
        enabled,
        created: at(-90_000),
    };
    let session = |ended: Option<&str>, alarming| SessionRow {
        url: x("/console/sessions/1"),
        id: x("0199f0b2-8811-7d10-b1c2-0f6d22a6b0aa"),
        user: named("mara"),
        client: named("mail"),
        device: Some(x("Laptop")),
        generation: 44,
        created: at(-60),
        last_seen: at(-3),
        ended: ended.map(x),
        alarming,
    };
    let sessions = vec![session(None, false), session(Some("reuse"), true), session(Some("sign-out"), false)];
    let event = |kind: &str, alarming, text: &str| EventRow {
        at: at(0),
        kind: x(kind),
        alarming,
        user: Some(named("mara")),
        client: Some(named("mail")),
        session: (kind != "admin").then(|| named("0199f0b2")),
        text: x(text),
    };
    let events = vec![
        event("reuse", true, "A spent refresh token was presented again."),
        event("start", false, "A session began."),
        event("admin", false, "The client mail was changed."),
    ];
    let key = |id: &str, state| KeyRow {
        id: x(id),
        purpose: x("access tokens"),
        algorithm: x("ES256"),
        state,
        created: at(-9000),
        retires: (state == KeyState::Retiring).then(|| at(9000)),
    };
    let reader = |id: &str, streams, cursor| ReaderRow {
        client: Named { text: x(id), url: Some(x("/console/clients/api")) },
        network: x("203.0.113.0/24"),
        streams,
        since: at(-9000),
        at: at(-3),
        cursor,
    };
    let browser =
        BrowserRow { id: x("b"), device: x("Firefox on Linux"), network: None, ..BrowserRow::default() };
    let user_view = UserPage {
        urls: urls.clone(),
        csrf: x("csrf-token"),
        user: user("mara", true),
        id: x("0199f0b2-7c1d-7aa0-9d3e-3f0f5e2d9a11"),
        stamp: 3,
        methods: vec![x("password"), x("passkey")],
        actions: vec![action(Verb::Enable), action(Verb::Disable), action(Verb::SignOut)],
        sessions: sessions.clone(),
        browsers: vec![browser],
    };
    let client_view = ClientPage {
        urls: urls.clone(),
        csrf: x("csrf-token"),
        client: client("mail", true),
        rotation: x("rotate, overlap 10 s"),
        redirect_uris: vec![x("https://mail.example.org/callback")],
        scopes: vec![x("openid"), x("mail:send")],
        audiences: vec![x("https://api.example.org")],
        actions: vec![action(Verb::Disable), action(Verb::Revoke)],
        sessions: Vec::new(),
    };
    let session_view = SessionPage {
        urls: urls.clone(),
        csrf: x("csrf-token"),
        session: session(Some("reuse"), true),
        scopes: vec![x("openid"), x("mail:send")],
        network: Some(x("198.51.100.0/24")),
        replays: 1,
        idle_expires: at(720),
        expires: at(9000),
        why: Some(x("A spent refresh token was presented again, so the session was ended.")),
        timeline: demo::timeline(x),
        actions: vec![action(Verb::Revoke)],
    };
    let ask = RevokeForm {
        urls: urls.clone(),
        action: x("/console/revoke"),
        csrf: x("csrf-token"),
        kind: RevokeKind::User,
        target: x("maara"),
        not_found: true,
    };
    let preview = RevokePreview {
        urls: urls.clone(),
        action: x("/console/revoke"),
        csrf: x("csrf-token"),
        kind: RevokeKind::User,
        target: x("mara"),
        sessions: 4,
        browser_sessions: Some(2),
        access_until: Some(at(9)),
        cancel_url: x("/console/revoke"),
    };
    let receipt = RevokeReceipt {
        urls: urls.clone(),
        kind: RevokeKind::User,
        target: x("mara"),
        sessions: 4,
        browser_sessions: Some(2),
        access_until: Some(at(9)),
        at: at(0),
        number: Some(812),
    };
    let users = UserList {
        urls: urls.clone(),
        filter: filter.clone(),
        rows: vec![user("mara", true), user("noor", false)],
        next: next.clone(),
    };
    let clients = ClientList {
        urls: urls.clone(),
        filter: filter.clone(),
        rows: vec![client("mail", true), client("files", false)],
        next: None,
    };
    let session_view_list =
        SessionList { urls: urls.clone(), filter: filter.clone(), rows: sessions, next: next.clone() };
    let event_view_list = EventList { urls: urls.clone(), filter: filter.clone(), rows: events, next };
    let rate = |(place, doing): (u64, Doing)| Rate {
        doing,
        per_second: 1.5,
        minute: place,
        total: 40 * place,
        steps: (0..60).map(|step| step * place % 7).collect(),
    };
    let now = NowPage {
        urls: urls.clone(),
        rates: (0..).zip(Doing::ALL).map(rate).collect(),
        cursor: 812,
        readers: vec![reader("api", true, 812), reader("reports", false, 790)],
    };
    let keys = KeyList {
        urls,
        csrf: x("csrf-token"),
        rotate: Some(action(Verb::RotateKeys)),
        rows: vec![key("k3", KeyState::Next), key("k2", KeyState::Active), key("k1", KeyState::Retiring)],
    };
    vec![
        ("console_users", user_list(&chrome, &users)),
        ("console_none", user_list(&chrome, &UserList { rows: Vec::new(), ..users.clone() })),
        ("console_clients", client_list(&chrome, &clients)),
        ("console_sessions", session_list(&chrome, &session_view_list)),
        ("console_events", event_list(&chrome, &event_view_list)),
        ("console_now", now_page(&chrome, &now)),
        ("console_now_idle", now_page(&chrome, &NowPage { readers: Vec::new(), ..now.clone() })),
        ("console_keys", key_list(&chrome, &keys)),
        ("console_user", user_page(&chrome, &user_view)),
        ("console_client", client_page(&chrome, &client_view)),
        ("console_session", session_page(&chrome, &session_view)),
        ("console_revoke", revoke_form(&chrome, &ask)),
        ("console_preview", revoke_preview(&chrome, &preview)),
        ("console_receipt", revoke_receipt(&chrome, &receipt)),
    ]
}
