//! The demo in each of its states.

use super::*;

/// A life with everything in it.
pub(crate) fn timeline(x: &dyn Fn(&str) -> String) -> Vec<TimelinePoint> {
    let point =
        |minutes, kind, detail: Option<&str>| TimelinePoint { at: at(minutes), kind, detail: detail.map(x) };
    vec![
        point(-60, PointKind::Start, Some("Firefox on Linux, 203.0.113.0/24")),
        point(-30, PointKind::Earlier { count: 41 }, None),
        point(-20, PointKind::Rotation { generation: 42 }, None),
        point(-19, PointKind::Replay { generation: 41 }, None),
        point(-10, PointKind::Rotation { generation: 43 }, None),
        point(-9, PointKind::Network, Some("198.51.100.0/24")),
        point(-3, PointKind::Rotation { generation: 44 }, None),
        point(0, PointKind::Reuse { generation: 42 }, Some("198.51.100.0/24")),
        point(0, PointKind::End, None),
    ]
}

pub(super) fn pages(lang: Lang, x: &dyn Fn(&str) -> String) -> Vec<Sample> {
    let chrome = chrome(lang, x);
    let start = DemoStart {
        action: x("/demo/sign-in"),
        csrf: x("csrf-token"),
        login: Some((x("demo"), x("correct horse battery staple"))),
    };
    let claims = [
        ("iss", "http://localhost:8420"),
        ("sub", "0199f0b2-7c1d-7aa0-9d3e-3f0f5e2d9a11"),
        ("aud", "https://api.example"),
        ("scope", "openid profile offline_access"),
        ("sid", "0199f0b2-8811-7d10-b1c2-0f6d22a6b0aa"),
        ("stv", "1"),
    ];
    let signed_in = Demo {
        csrf: x("csrf-token"),
        actions: DemoActions {
            call: x("/demo/call"),
            refresh: x("/demo/refresh"),
            steal: x("/demo/steal"),
            use_stolen: x("/demo/thief"),
            restart: x("/demo/restart"),
        },
        user: x("demo"),
        access: DemoAccess {
            masked: x("eyJ0eXAiOiJhdCtqd3Qi\u{2026}k3Qx"),
            claims: claims.map(|(name, value)| (x(name), x(value))).to_vec(),
            expires_at: at(7),
            lifetime: 600,
        },
        refresh: DemoRefresh {
            masked: x("rft_AQABkZ\u{2026}9fQ"),
            generation: 0,
            previous: None,
            session_id: x("0199f0b2-8811-7d10-b1c2-0f6d22a6b0aa"),
            expires_at: at(720),
            lifetime: 43_200,
        },
        timeline: vec![TimelinePoint { at: at(-3), kind: PointKind::Start, detail: None }],
        log: vec![step(x, DemoWho::You, DemoEvent::SignedIn, 200)],
        ..Demo::default()
    };
    let mut refreshed = signed_in.clone();
    refreshed.called = true;
    refreshed.refresh.generation = 1;
    refreshed.refresh.previous = Some(0);
    refreshed.timeline.push(TimelinePoint {
        at: at(-2),
        kind: PointKind::Rotation { generation: 1 },
        detail: None,
    });
    refreshed.log.push(step(x, DemoWho::You, DemoEvent::ApiAnswered, 200));
    refreshed.log.push(step(x, DemoWho::You, DemoEvent::Refreshed { from: 0 }, 200));
    let mut stolen = refreshed.clone();
    stolen.refresh.previous = None;
    stolen.stolen = Some(DemoStolen { masked: x("rft_AQABkZ\u{2026}9fQ"), generation: 1, used: false });
    stolen
        .log
        .push(DemoStep { status: None, ..step(x, DemoWho::Thief, DemoEvent::Copied { generation: 1 }, 0) });
    let mut spent = stolen.clone();
    spent.refresh.generation = 2;
    let mut faster = stolen.clone();
    faster.stolen = Some(DemoStolen { used: true, ..stolen.stolen.clone().unwrap() });
    let mut ended = spent.clone();
    ended.ended = Some(DemoEnd { by: DemoWho::Thief, access_until: at(7) });
    ended.timeline.extend(
        [PointKind::Rotation { generation: 2 }, PointKind::Reuse { generation: 1 }, PointKind::End]
            .map(|kind| TimelinePoint { at: at(0), kind, detail: None }),
    );
    let rest = [
        (DemoWho::You, DemoEvent::Refreshed { from: 1 }, 200),
        (DemoWho::Thief, DemoEvent::Reused { generation: 1 }, 400),
        (DemoWho::You, DemoEvent::ApiRefused, 401),
        (DemoWho::Server, DemoEvent::Unavailable, 503),
        (DemoWho::You, DemoEvent::Refused, 400),
    ];
    ended.log.extend(rest.map(|(who, event, status)| step(x, who, event, status)));
    let mut ended_by_you = ended.clone();
    ended_by_you.ended = Some(DemoEnd { by: DemoWho::You, access_until: at(7) });
    vec![
        (
            "demo_start",
            demo_start(&Chrome { signed_in_as: None, sign_out_url: None, ..chrome.clone() }, &start),
        ),
        ("demo_signed_in", demo(&chrome, &signed_in)),
        ("demo_refreshed", demo(&chrome, &refreshed)),
        ("demo_stolen", demo(&chrome, &stolen)),
        ("demo_spent", demo(&chrome, &spent)),
        ("demo_faster", demo(&chrome, &faster)),
        ("demo_ended", demo(&chrome, &ended)),
        ("demo_ended_by_you", demo(&chrome, &ended_by_you)),
    ]
}

fn step(x: &dyn Fn(&str) -> String, who: DemoWho, event: DemoEvent, status: u16) -> DemoStep {
    DemoStep {
        who,
        event,
        request: x("POST /oauth/token\ngrant_type=refresh_token&refresh_token=rft_AQABkZ\u{2026}9fQ"),
        status: Some(status),
        body: x(
            "{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"the refresh token was used before\"\n}",
        ),
    }
}
