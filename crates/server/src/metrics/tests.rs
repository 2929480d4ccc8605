use std::time::Duration;

use ::http::{Method, StatusCode};

use super::*;

#[test]
fn every_metric_has_its_standard_name() {
    let metrics = Metrics::new();
    metrics.refresh(RefreshOutcome::Rotated);
    metrics.token_request(GrantLabel::RefreshToken, TokenOutcome::Issued);
    metrics.token_request(GrantLabel::Other, countersign_wire::ErrorCode::UnsupportedGrantType.into());
    metrics.revocation(&Target::Everything);
    metrics.introspection(true);
    metrics.store_failure(StoreFailure::Unavailable);
    metrics.set_revocation_log_position(7);
    metrics.set_store_up(true);
    metrics.set_signing_key_age(Algorithm::ES256, Duration::from_secs(60));
    let route = metrics.http.route(Some("/oauth/token"));
    route.observe(&Method::POST, StatusCode::OK, Duration::from_millis(3));
    metrics.http.route(None).observe(&Method::TRACE, StatusCode::IM_A_TEAPOT, Duration::ZERO);
    let text = metrics.encode();
    for line in [
        "countersign_refresh_total{outcome=\"rotated\"} 1",
        "countersign_refresh_total{outcome=\"reuse\"} 0",
        "countersign_token_requests_total{grant=\"refresh_token\",outcome=\"issued\"} 1",
        "countersign_token_requests_total{grant=\"other\",outcome=\"unsupported_grant_type\"} 1",
        "countersign_revocations_total{target=\"everything\"} 1",
        "countersign_introspections_total{active=\"true\"} 1",
        "countersign_introspections_total{active=\"false\"} 0",
        "countersign_store_errors_total{kind=\"unavailable\"} 1",
        "countersign_revocation_log_position 7",
        "countersign_store_up 1",
        "countersign_signing_key_age_seconds{alg=\"ES256\"} 60.0",
        concat!("countersign_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "countersign_http_requests_total{route=\"/oauth/token\",method=\"POST\",status=\"200\"} 1",
        "countersign_http_requests_total{route=\"(none)\",method=\"other\",status=\"4xx\"} 1",
        "countersign_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/oauth/token\"} 1",
        "countersign_http_request_duration_seconds_count{route=\"/oauth/token\"} 1",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
    }
    if cfg!(target_os = "linux") {
        for name in [
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
            "process_start_time_seconds ",
        ] {
            assert!(text.contains(&format!("\n{name}")), "{name} is missing in\n{text}");
        }
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_routes_metrics_are_made_once() {
    let metrics = Metrics::new();
    let (one, other) = (metrics.http.route(Some("/a")), metrics.http.route(Some("/a")));
    assert!(std::sync::Arc::ptr_eq(&one, &other));
}
