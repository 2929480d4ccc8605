//! The decision table of an authorization request, row by row.

use countersign_wire::{BrowserSessionId, Prompt, ResponseMode};

use super::*;
use crate::flows::browser::ACR_ONE_FACTOR;
use crate::store::{
    BrowserSession, ClientKind, ClientSettings, LifetimeSettings, Profile, Rotation, SignInSettings,
    TokenFormat, User,
};

mod always;

const T: Timestamp = Timestamp(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A situation that owns its parts. As it begins: `ana` signed in an hour ago with a password,
/// agreed to `openid read` long ago, and a confidential client asks for that.
#[derive(Debug, Clone)]
struct Case {
    client: Client,
    asked: Asked,
    browser: Option<BrowserStanding>,
    consent: Option<Scope>,
    has_second_factor: bool,
    hinted: Option<UserId>,
    sensitive: Sensitive,
    started_at: Timestamp,
    agreed_by: Option<UserId>,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        Self {
            client: client(),
            asked: asked("openid read"),
            browser: Some(standing(ana(), T.minus(60 * MINUTE))),
            consent: Some(scope_of("openid read")),
            has_second_factor: false,
            hinted: None,
            sensitive: Sensitive::default(),
            started_at: T.minus(5 * MINUTE),
            agreed_by: None,
            now: T,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::new();
        change(&mut case);
        case
    }

    fn judge(&self) -> Decision {
        judge(&Situation {
            client: &self.client,
            asked: &self.asked,
            browser: self.browser.as_ref(),
            consent: self.consent.as_ref(),
            has_second_factor: self.has_second_factor,
            hinted: self.hinted,
            sensitive: &self.sensitive,
            started_at: self.started_at,
            agreed_by: self.agreed_by,
            now: self.now,
        })
    }

    fn session(&mut self) -> &mut BrowserSession {
        &mut self.browser.as_mut().unwrap().session
    }
}

fn scope_of(text: &str) -> Scope {
    text.parse().unwrap()
}

fn ana() -> UserId {
    UserId(uuid::Uuid::from_u128(1))
}

fn bob() -> UserId {
    UserId(uuid::Uuid::from_u128(2))
}

fn client() -> Client {
    Client {
        id: "shop".parse().unwrap(),
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: None,
        created_at: T,
        settings: ClientSettings {
            kind: ClientKind::Web,
            public: false,
            secrets: Vec::new(),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            scope: scope_of("openid offline_access read write"),
            audience: Vec::new(),
            token_format: TokenFormat::Jwt,
            signing_alg: None,
            rotation: Rotation::Rotate,
            overlap_ms: 0,
            lifetimes: LifetimeSettings::default(),
            longest_access: 600,
            allow_long_access_tokens: false,
            introspects: Vec::new(),
            extra_claims: Vec::new(),
            sign_in: SignInSettings::default(),
        },
    }
}

fn asked(scope: &str) -> Asked {
    Asked {
        client: "shop".parse().unwrap(),
        redirect_uri: "https://shop.example/cb".to_owned(),
        redirect_uri_sent: true,
        response_mode: ResponseMode::Query,
        state: None,
        request: AuthorizationRequest {
            scope: Some(scope_of(scope)),
            resources: Vec::new(),
            code_challenge: None,
            nonce: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            id_token_hint: None,
            acr_values: Vec::new(),
            ui_locales: None,
        },
    }
}

fn standing(user: UserId, auth_time: Timestamp) -> BrowserStanding {
    BrowserStanding {
        session: BrowserSession {
            id: BrowserSessionId(uuid::Uuid::from_u128(9)),
            user,
            secret_hash: [0; 32],
            user_stamp: 1,
            born: 0,
            remember: false,
            created_at: auth_time,
            auth_time,
            acr: ACR_ONE_FACTOR.to_owned(),
            amr: vec!["pwd".to_owned()],
            seen_at: auth_time,
            idle_lifetime: MINUTE,
            idle_expires_at: T.plus(MINUTE),
            expires_at: T.plus(MINUTE),
            network: None,
            agent: None,
            ended: None,
        },
        user: User {
            id: user,
            username: "ana".to_owned(),
            canonical: "ana".to_owned(),
            email: None,
            password_hash: None,
            enabled: true,
            stamp: 1,
            tenant: None,
            roles: Vec::new(),
            created_at: T,
            profile: Profile::default(),
        },
        cut: 0,
    }
}

fn refused(decision: &Decision) -> Option<ErrorCode> {
    match decision {
        Decision::Refuse(code, _) => Some(*code),
        _ => None,
    }
}

fn consent_to(scope: &str) -> Decision {
    Decision::Do(Todo::Consent(scope_of(scope)))
}

#[test]
fn who_is_signed_in_and_agreed_before_is_not_asked() {
    assert_eq!(Case::new().judge(), Decision::Issue(scope_of("openid read")));
}

#[test]
fn nobody_here_signs_in() {
    assert_eq!(Case::with(|c| c.browser = None).judge(), Decision::Do(Todo::SignIn));
}

#[test]
fn prompt_login_wants_an_authentication_of_this_interaction() {
    let mut case = Case::with(|c| c.asked.request.prompt.login = true);
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.session().auth_time = case.started_at.minus(Duration::from_millis(1));
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.session().auth_time = case.started_at;
    assert!(matches!(case.judge(), Decision::Issue(_)));
}

#[test]
fn prompt_select_account_asks_who_it_is_to_be() {
    let mut case = Case::with(|c| c.asked.request.prompt.select_account = true);
    assert_eq!(case.judge(), Decision::Do(Todo::SignIn));
    case.session().auth_time = case.started_at;
    assert!(matches!(case.judge(), Decision::Issue(_)));
}

#[test]
fn prompt_consent_asks_again() {
    let mut case = Case::with(|c| c.asked.request.prompt.consent = true);
    assert_eq!(case.judge(), consent_to("openid read"));
    case.agreed_by = Some(ana());
    assert_eq!(case.judge(), Decision::Issue(scope_of("openid read")));
}

#[test]
fn prompt_none_says_what_was_wanted() {
    let none = |change: &dyn Fn(&mut Case)| {
        let case = Case::with(|c| {
            c.asked.request.prompt.none = true;
            change(c);
        });
        refused(&case.judge())
    };
    assert_eq!(none(&|_| {}), None);
    assert_eq!(none(&|c| c.browser = None), Some(ErrorCode::LoginRequired));
    assert_eq!(none(&|c| c.asked.request.max_age = Some(0)), Some(ErrorCode::LoginRequired));
    assert_eq!(none(&|c| c.hinted = Some(bob())), Some(ErrorCode::LoginRequired));
    assert_eq!(none(&|c| c.consent = None), Some(ErrorCode::ConsentRequired));
    assert_eq!(
        none(&|c| {
            c.asked.request.acr_values = vec![ACR_TWO_FACTORS.to_owned()];
            c.has_second_factor = true;
        }),
        Some(ErrorCode::InteractionRequired)
    );
}

#[test]
fn max_age_counts_to_the_second_and_zero_is_now() {
    let mut case = Case::with(|c| c.asked.request.max_age = Some(3600));
    assert!(matches!(case.judge(), Decision::Issue(_)), "just as old");
    case.asked.request.max_age = Some(3599);
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.asked.request.max_age = Some(0);
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    // What took place for this request is young enough for the moment of the way back, and not for as long as the
    // person then reads.
    case.started_at = T.minus(MINUTE);
    case.session().auth_time = T.minus(MOMENT);
    assert!(matches!(case.judge(), Decision::Issue(_)));
    case.session().auth_time = T.minus(MOMENT + Duration::from_millis(1));
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.session().auth_time = case.started_at;
    case.asked.request.max_age = Some(50);
    assert!(matches!(case.judge(), Decision::Issue(_)));
    case.asked.request.max_age = Some(49);
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.asked.request.max_age = Some(u64::MAX);
    case.session().auth_time = Timestamp(0);
    assert!(matches!(case.judge(), Decision::Issue(_)));
}

#[test]
fn a_hint_of_somebody_else_is_never_answered_for_who_is_here() {
    assert!(matches!(Case::with(|c| c.hinted = Some(ana())).judge(), Decision::Issue(_)));
    let mut case = Case::with(|c| c.hinted = Some(bob()));
    assert_eq!(case.judge(), Decision::Do(Todo::SignIn));
    // Core section 3.1.2.1: whoever signed in as a result of the request and is somebody else gets
    // the client an error.
    case.session().auth_time = case.started_at;
    assert_eq!(refused(&case.judge()), Some(ErrorCode::LoginRequired));
}

#[test]
fn a_client_of_a_tenant_is_for_its_people() {
    let mut case = Case::with(|c| c.client.tenant = Some("acme".to_owned()));
    assert_eq!(case.judge(), Decision::Do(Todo::SignIn));
    case.browser.as_mut().unwrap().user.tenant = Some("other".to_owned());
    assert_eq!(case.judge(), Decision::Do(Todo::SignIn));
    case.session().auth_time = case.started_at;
    assert_eq!(refused(&case.judge()), Some(ErrorCode::AccessDenied), "the form again would be a circle");
    case.browser.as_mut().unwrap().user.tenant = Some("acme".to_owned());
    assert!(matches!(case.judge(), Decision::Issue(_)));
    case.client.tenant = None;
    assert!(matches!(case.judge(), Decision::Issue(_)), "a client of everybody");
}

#[test]
fn acr_values_that_are_known_are_met_or_refused() {
    let with = |values: &[&str], acr: &str, has_second_factor| {
        let case = Case::with(|c| {
            c.asked.request.acr_values = values.iter().map(|v| (*v).to_owned()).collect();
            c.session().acr = acr.to_owned();
            c.has_second_factor = has_second_factor;
        });
        case.judge()
    };
    let two: &[&str] = &[ACR_TWO_FACTORS];
    assert_eq!(with(two, ACR_ONE_FACTOR, true), Decision::Do(Todo::SecondFactor));
    let unmet = with(two, ACR_ONE_FACTOR, false);
    assert_eq!(refused(&unmet), Some(ErrorCode::UnmetAuthenticationRequirements));
    assert!(matches!(with(two, ACR_TWO_FACTORS, true), Decision::Issue(_)));
    // A wish that nobody here knows is no requirement; one factor is enough where it is named.
    assert!(matches!(with(&["urn:other"], ACR_ONE_FACTOR, false), Decision::Issue(_)));
    assert!(matches!(with(&["urn:other", ACR_ONE_FACTOR], ACR_ONE_FACTOR, true), Decision::Issue(_)));
    assert!(matches!(with(&[ACR_TWO_FACTORS, ACR_ONE_FACTOR], ACR_ONE_FACTOR, true), Decision::Issue(_)));
    assert_eq!(with(&["urn:other", ACR_TWO_FACTORS], ACR_ONE_FACTOR, true), Decision::Do(Todo::SecondFactor));
}

#[test]
fn sensitive_scopes_want_a_recent_authentication() {
    let mut case = Case::with(|c| {
        c.sensitive = Sensitive { scopes: vec!["read".to_owned()], max_age: 10 * MINUTE };
    });
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
    case.session().auth_time = T.minus(10 * MINUTE);
    assert!(matches!(case.judge(), Decision::Issue(_)));
    case.session().auth_time = T.minus(60 * MINUTE);
    case.asked = asked("openid");
    assert!(matches!(case.judge(), Decision::Issue(_)), "not asked for");
    // All that the client may have is asked for when nothing is named.
    case.asked.request.scope = None;
    assert_eq!(case.judge(), Decision::Do(Todo::Confirm));
}

#[test]
fn consent_is_for_what_was_agreed_to_and_no_more() {
    assert_eq!(Case::with(|c| c.consent = None).judge(), consent_to("openid read"));
    let wider = Case::with(|c| c.asked = asked("openid read write"));
    assert_eq!(wider.judge(), consent_to("openid read write"));
    let narrower = Case::with(|c| c.asked = asked("read"));
    assert_eq!(narrower.judge(), Decision::Issue(scope_of("read")));
    let offline = Case::with(|c| c.asked = asked("openid read offline_access"));
    assert_eq!(offline.judge(), consent_to("offline_access openid read"));
}

#[test]
fn without_a_scope_it_is_all_but_offline_access() {
    let case = Case::with(|c| {
        c.asked.request.scope = None;
        c.consent = None;
    });
    assert_eq!(case.judge(), consent_to("openid read write"));
}

#[test]
fn the_operators_own_client_needs_no_consent_unless_it_asks_for_it() {
    let mut case = Case::with(|c| {
        c.consent = None;
        c.client.settings.sign_in.first_party = true;
    });
    assert!(matches!(case.judge(), Decision::Issue(_)));
    case.asked.request.prompt.consent = true;
    assert_eq!(case.judge(), consent_to("openid read"));
}

#[test]
fn the_operators_own_program_that_anyone_can_be_gets_nothing_behind_a_persons_back() {
    let mut case = Case::with(|c| {
        c.consent = None;
        c.client.settings.sign_in.first_party = true;
        c.client.settings.public = true;
        c.asked.redirect_uri = "http://127.0.0.1:5000/cb".to_owned();
    });
    assert_eq!(case.judge(), consent_to("openid read"));
    case.session().auth_time = T.minus(MINUTE);
    assert!(matches!(case.judge(), Decision::Issue(_)));
}

#[test]
fn a_public_client_that_anyone_can_be_asks_each_time() {
    for uri in ["http://127.0.0.1:5000/cb", "http://[::1]/cb", "com.example.app:/cb"] {
        let mut case = Case::with(|c| {
            c.client.settings.public = true;
            c.asked.redirect_uri = uri.to_owned();
        });
        assert_eq!(case.judge(), consent_to("openid read"), "{uri}");
        case.asked.request.prompt.none = true;
        assert_eq!(refused(&case.judge()), Some(ErrorCode::ConsentRequired), "{uri}");
    }
    let https = Case::with(|c| c.client.settings.public = true);
    assert!(matches!(https.judge(), Decision::Issue(_)));
}

#[test]
fn what_somebody_else_agreed_to_in_the_interaction_does_not_count() {
    let case = Case::with(|c| {
        c.consent = None;
        c.agreed_by = Some(bob());
    });
    assert_eq!(case.judge(), consent_to("openid read"));
}
