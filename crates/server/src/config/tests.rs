use std::{ffi::OsString, path::Path};

use super::*;

/// As [`Settings::load`], with all its inputs given.
fn load(flags: &[(&str, &str)], variables: &[(&str, &str)], file: &str) -> Result<Settings, Vec<Complaint>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(DEFAULT_FILE);
    std::fs::write(&path, file).unwrap();
    let values = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let overrides = Overrides { config_file: None, values };
    let environment = variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Settings::from_sources(Sources::gather(&overrides, environment, &path)).map_err(|c| c.0)
}

fn complaint(flags: &[(&str, &str)], variables: &[(&str, &str)], file: &str) -> String {
    let complaints = load(flags, variables, file).unwrap_err();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    complaints[0].to_string()
}

#[test]
fn nothing_configured_is_usable() {
    let settings = load(&[], &[], "").unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8420");
    assert_eq!(settings.issuer, "http://127.0.0.1:8420");
    assert!(!settings.issuer_configured);
    assert_eq!(settings.database, Database::Sqlite("./countersign-data/countersign.db".into()));
    assert_eq!(settings.limits.body, 65_536);
    assert_eq!(settings.limits.connections, 4096);
    assert!(settings.admin_token.is_none() && settings.key_encryption_key.is_none());
    let day = Duration::from_secs(86_400);
    let web = settings.lifetimes.web.refresh.unwrap();
    assert_eq!((web.idle, web.absolute), (day / 2, day * 7));
    assert_eq!((web.remember_idle, web.remember_absolute), (day * 14, day * 60));
    let spa = settings.lifetimes.spa.refresh.unwrap();
    assert_eq!((spa.remember_idle, spa.remember_absolute), (spa.idle, spa.absolute));
    assert!(settings.lifetimes.service.refresh.is_none());
    assert_eq!(settings.lifetimes.native.access, Duration::from_secs(900));
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = "sessions_per_user = 3\n[limits]\nbody = 2000\nheaders = 10000\n";
    let variables = [("COUNTERSIGN_LIMITS_BODY", "3000"), ("COUNTERSIGN_SESSIONS_PER_USER", "4")];
    let settings = load(&[("sessions_per_user", "5")], &variables, file).unwrap();
    assert_eq!(settings.sessions_per_user, 5);
    assert_eq!(settings.limits.body, 3000);
    assert_eq!(settings.limits.headers, 10_000);
    assert_eq!(settings.limits.password_threads, 2);

    let origin = |key| settings.effective().iter().find(|v| v.key == key).unwrap().origin.to_string();
    assert_eq!(origin("sessions_per_user"), "flag");
    assert_eq!(origin("limits.body"), "COUNTERSIGN_LIMITS_BODY");
    assert_eq!(origin("limits.headers"), "file");
    assert_eq!(origin("listen"), "default");
}

#[test]
fn an_empty_variable_is_not_set() {
    let settings =
        load(&[], &[("COUNTERSIGN_OTLP_ENDPOINT", "")], "otlp_endpoint = 'http://otel:4318'").unwrap();
    assert_eq!(settings.otlp_endpoint.as_deref(), Some("http://otel:4318"));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let file = "lisen = '1'\n[limits]\nbody = 12\n";
    let complaints = load(&[("jwks_max_age", "soon")], &[("COUNTERSIGN_ISUER", "x")], file).unwrap_err();
    let texts: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "COUNTERSIGN_ISUER: is no variable of Countersign's; did you mean COUNTERSIGN_ISSUER?",
            "lisen: is no known key; did you mean listen?",
            "jwks_max_age: \"soon\" is not usable; write a duration from 1s to 1d, as 90s, 10m, 12h or 7d",
            "limits.body: \"12\" is not usable; write a number of bytes from 1024 to 1048576",
        ]
    );
}

#[test]
fn unknown_names_get_the_nearest_known_one() {
    assert!(complaint(&[], &[], "[lifetime.spa]\nidle = '1h'").contains("lifetime: is no known key"));
    let nested = complaint(&[], &[], "[lifetimes.spa]\nidel = '1h'");
    assert_eq!(nested, "lifetimes.spa.idel: is no known key; did you mean lifetimes.spa.idle?");
    let not_a_secret = complaint(&[], &[("COUNTERSIGN_LISTEN_FILE", "x")], "");
    assert!(not_a_secret.ends_with("did you mean COUNTERSIGN_LISTEN?"), "{not_a_secret}");
    assert!(complaint(&[("zzzzzzzzzz", "1")], &[], "").contains("docs/configuration.md"));
}

#[test]
fn variables_of_kubernetes_services_are_no_mistakes() {
    let variables = [
        ("COUNTERSIGN_PORT", "tcp://10.0.0.1:8420"),
        ("COUNTERSIGN_SERVICE_HOST", "10.0.0.1"),
        ("COUNTERSIGN_SERVICE_PORT", "8420"),
        ("COUNTERSIGN_SERVICE_PORT_HTTP", "8420"),
        ("COUNTERSIGN_PORT_8420_TCP", "tcp://10.0.0.1:8420"),
        ("COUNTERSIGN_PORT_8420_TCP_PROTO", "tcp"),
        ("COUNTERSIGN_PORT_8420_TCP_PORT", "8420"),
        ("COUNTERSIGN_PORT_8420_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(load(&[], &variables, "").is_ok());
}

#[test]
fn secrets_can_be_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, format!("{}\n", "t".repeat(40))).unwrap();
    let path = path.to_str().unwrap();

    let settings = load(&[], &[("COUNTERSIGN_ADMIN_TOKEN_FILE", path)], "").unwrap();
    assert_eq!(settings.admin_token.unwrap().expose(), "t".repeat(40));
    let settings = load(&[], &[], &format!("admin_token_file = '{path}'")).unwrap();
    assert_eq!(settings.admin_token.unwrap().expose(), "t".repeat(40));

    let both = [("COUNTERSIGN_ADMIN_TOKEN_FILE", path), ("COUNTERSIGN_ADMIN_TOKEN", &"u".repeat(40))];
    assert!(complaint(&[], &both, "").contains("admin_token: is set twice"));
    let missing = complaint(&[], &[("COUNTERSIGN_ADMIN_TOKEN_FILE", "/nowhere/token")], "");
    assert!(missing.contains("COUNTERSIGN_ADMIN_TOKEN_FILE: names \"/nowhere/token\""), "{missing}");
}

#[test]
fn no_secret_is_ever_shown() {
    let kek = "5ec2e7".repeat(11).split_off(2);
    let url = "postgres://joe:s3cret@db/cs";
    let token = format!("s3cret{}", "x".repeat(40));
    let good = [("database", url), ("admin_token", &*token), ("key_encryption_key", &*kek)];
    let settings = load(&good, &[], "").unwrap();
    let shown = format!("{settings:?} {:?} {}", settings.effective(), settings.database.describe());
    assert!(!shown.contains("s3cret") && !shown.contains("5ec2e7"), "{shown}");

    let bad = [("database", "s3cret"), ("admin_token", "s3cret"), ("key_encryption_key", "s3cret")];
    let complaints = load(&bad, &[], "").unwrap_err();
    assert_eq!(complaints.len(), 3);
    assert!(!format!("{complaints:?}").contains("s3cret"));
    let overrides = Overrides { config_file: None, values: vec![("admin_token".into(), "s3cret".into())] };
    assert!(!format!("{overrides:?}").contains("s3cret"));

    let syntax = complaint(&[], &[], "listen = '127.0.0.1:1'\nadmin_token = s3cret\n");
    assert!(syntax.contains("is not TOML at line 2") && !syntax.contains("s3cret"), "{syntax}");
    let typed = complaint(&[], &[], "admin_token = { value = 's3cret' }");
    assert!(typed.contains("wrong type") && !typed.contains("s3cret"), "{typed}");
}

#[test]
fn bounds_hold() {
    assert!(complaint(&[("lifetimes.spa.access", "61m")], &[], "").contains("to 1h"));
    assert!(complaint(&[("lifetimes.spa.idle", "181d")], &[], "").contains("to 180d"));
    assert!(complaint(&[("lifetimes.cli.absolute", "401d")], &[], "").contains("to 400d"));
    assert!(complaint(&[("rotation.overlap", "11m")], &[], "").contains("from 0s to 10m"));
    assert!(complaint(&[("rotation.lockstep_threshold", "1")], &[], "").contains("from 2 to 100"));
    assert!(complaint(&[("admin_token", &"x".repeat(31))], &[], "").contains("at least 32"));
    assert!(complaint(&[("signing_algorithm", "HS256")], &[], "").contains("ES256 or EdDSA or RS256"));
    for bad in ["inof", "\n\u{449}="] {
        assert!(complaint(&[("log.level", bad)], &[], "").contains("log.level"));
    }
    assert!(complaint(&[("log.format", "xml")], &[], "").contains("pretty or json"));
    assert!(load(&[("log.level", "info,countersign::http=debug")], &[], "").is_ok());
    assert!(load(&[("rotation.overlap", "0")], &[], "").is_ok());
}

#[test]
fn keys_that_depend_on_each_other_are_checked_together() {
    let open = complaint(&[("listen", "0.0.0.0:8420")], &[], "");
    assert!(open.starts_with("issuer: is not set, and 0.0.0.0:8420 is not loopback"), "{open}");
    assert!(complaint(&[("issuer", "http://a.example")], &[], "").contains("allow_insecure_issuer"));
    let insecure = [("issuer", "http://a.example"), ("allow_insecure_issuer", "true")];
    assert!(load(&insecure, &[], "").is_ok());
    assert!(complaint(&[("management_listen", "127.0.0.1:8420")], &[], "").contains("the same as listen"));
    assert!(complaint(&[("jwks_max_age", "2h")], &[], "").starts_with("keys.publish_ahead"));
    assert!(
        complaint(&[("keys.publish_ahead", "2h"), ("keys.rotate_every", "1h")], &[], "").contains("longer")
    );
}

#[test]
fn lists_are_arrays_or_separated_by_commas() {
    let file = "trusted_proxies = ['10.0.0.0/8', '::1']";
    assert_eq!(load(&[], &[], file).unwrap().trusted_proxies.len(), 2);
    let variable = [("COUNTERSIGN_CORS_ORIGINS", "https://a.example, https://b.example")];
    assert_eq!(load(&[], &variable, "").unwrap().cors_origins, ["https://a.example", "https://b.example"]);
    assert!(complaint(&[("trusted_proxies", "0.0.0.0/0")], &[], "").contains("trusts every address"));
}

#[test]
fn a_variable_can_name_the_file_and_must_be_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, "sessions_per_user = 3").unwrap();
    let variables = [("COUNTERSIGN_CONFIG", path.to_str().unwrap())];
    assert_eq!(load(&[], &variables, "").unwrap().sessions_per_user, 3);

    let environment = [(OsString::from("COUNTERSIGN_LISTEN"), OsString::from_vec(vec![b'1', 0xff]))];
    let sources = Sources::gather(&Overrides::default(), environment.into_iter(), Path::new("/nowhere"));
    let complaints = Settings::from_sources(sources).unwrap_err().to_string();
    assert!(complaints.contains("COUNTERSIGN_LISTEN: is not valid UTF-8"), "{complaints}");
}

#[test]
fn a_named_file_must_be_there() {
    let overrides = Overrides { config_file: Some("/nowhere/c.toml".into()), values: vec![] };
    let sources = Sources::gather(&overrides, std::iter::empty(), Path::new("/nowhere"));
    let complaints = Settings::from_sources(sources).unwrap_err();
    assert!(complaints.to_string().contains("/nowhere/c.toml: cannot be read"), "{complaints}");
}

#[test]
fn the_default_issuer_follows_the_bound_port() {
    let bound = "127.0.0.1:4711".parse().unwrap();
    let settings = Settings::from_values(&[("listen", "127.0.0.1:0")]).unwrap().bound_to(bound);
    assert_eq!(settings.issuer, "http://127.0.0.1:4711");
    let settings = Settings::from_values(&[("issuer", "https://a.example")]).unwrap().bound_to(bound);
    assert_eq!(settings.issuer, "https://a.example");
}
