//! `serve --dev`: a demo user, demo clients, a demo API, and the commands to try.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{ClientId, ClientSecret, Password, UserId};

use super::ServerError;
use crate::app::App;
use crate::config::Settings;
use crate::flows::clients::hash_secret;
use crate::http::demo::{Demo, WebClient};
use crate::store::{
    Client, ClientKind, ClientSettings, LifetimeSettings, Profile, Rotation, SecretHash, SignInSettings,
    TokenFormat, User,
};
use crate::time::Timestamp;

/// The demo user.
const USER: &str = "demo";
/// The demo user's password. `--dev` listens on loopback only.
const PASSWORD: &str = "demo-demo";
/// The demo page's client.
const WEB_CLIENT: &str = "demo-web";
/// The demo client: a public one, so that the commands need no secret.
const CLIENT: &str = "demo-app";
/// What the demo API wants.
const SCOPE: &str = "profile:read";

/// What was made.
pub(super) struct Demonstration {
    /// The demo API.
    pub(super) api: Arc<Demo>,
}

/// Adds what the demo needs, where it is not there yet.
pub(super) async fn seed(app: &App) -> Result<Demonstration, ServerError> {
    let failed = |error| ServerError::new("the demo could not be set up", error);
    let now = app.clock.now();
    let audience = format!("{}/api", app.policy.issuer);
    let hash = app
        .passwords
        .hash(Password::new(PASSWORD.to_owned()))
        .await
        .map_err(|_| ServerError("the demo user's password could not be hashed".to_owned()))?;
    let user = User {
        id: UserId(crate::entropy::uuid_v7(now)),
        username: USER.to_owned(),
        canonical: USER.to_owned(),
        email: Some("demo@example.com".to_owned()),
        password_hash: Some(hash),
        enabled: true,
        stamp: 1,
        tenant: None,
        roles: vec!["reader".to_owned()],
        created_at: now,
        profile: Profile {
            claims: serde_json::Map::from_iter([("name".to_owned(), "Demi Example".into())]),
            ..Profile::default()
        },
    };
    app.store.add_user(&user).await.map_err(failed)?;
    let app_client = client(app, CLIENT, &audience, now)?;
    keep(app, app_client).await?;
    let secret = ClientSecret::new(format!("cs_{}", URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<32>())));
    let mut web = client(app, WEB_CLIENT, &audience, now)?;
    web.settings.kind = ClientKind::Web;
    web.settings.public = false;
    web.settings.secrets =
        vec![SecretHash { sha256: hash_secret(&secret), created_at: now, expires_at: None }];
    web.settings.redirect_uris = vec![format!("{}/demo/callback", app.policy.issuer)];
    web.settings.sign_in = SignInSettings {
        name: Some("Demo Shop".to_owned()),
        post_logout_redirect_uris: vec![format!("{}/demo", app.policy.issuer)],
        ..SignInSettings::default()
    };
    let id = web.id.clone();
    keep(app, web).await?;
    app.look_again().await.map_err(failed)?;
    let web = WebClient { id, secret };
    Ok(Demonstration { api: Arc::new(Demo::new(audience, SCOPE, web, (USER, PASSWORD))) })
}

/// A demo client as a public, native one.
fn client(app: &App, id: &str, audience: &str, now: Timestamp) -> Result<Client, ServerError> {
    let id: ClientId = id.parse().map_err(|error| ServerError::new("the demo client", error))?;
    Ok(Client {
        id,
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: None,
        created_at: now,
        settings: ClientSettings {
            kind: ClientKind::Native,
            public: true,
            secrets: Vec::new(),
            redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
            scope: "openid profile email offline_access profile:read profile:write"
                .parse()
                .unwrap_or_default(),
            audience: vec![audience.to_owned()],
            token_format: TokenFormat::Jwt,
            signing_alg: None,
            rotation: Rotation::Rotate,
            overlap_ms: u64::try_from(app.policy.overlap.as_millis()).unwrap_or(0),
            lifetimes: LifetimeSettings::default(),
            longest_access: app.policy.lifetimes.of(ClientKind::Native).access.as_secs(),
            allow_long_access_tokens: false,
            introspects: Vec::new(),
            extra_claims: Vec::new(),
            sign_in: SignInSettings::default(),
        },
    })
}

/// Adds a demo client, or brings it up to date: the issuer may have moved to another port since, and
/// a secret is new at each start.
async fn keep(app: &App, client: Client) -> Result<(), ServerError> {
    let failed = |error| ServerError::new("the demo could not be set up", error);
    app.store.add_client(&client).await.map_err(failed)?;
    if let Some(known) = app.store.client(&client.id).await.map_err(failed)?
        && known.settings != client.settings
    {
        let changed = Client { settings: client.settings, ..known.clone() };
        app.store.replace_client(&changed, known.revision).await.map_err(failed)?;
    }
    Ok(())
}

/// Prints what to try. Everything can be copied as it is into a POSIX shell with curl.
#[expect(clippy::print_stdout, reason = "what --dev prints is its user interface")]
pub(super) fn print(settings: &Settings) {
    println!("{}", instructions(settings, &program()));
}

/// The program as the user's shell finds it again.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "countersign".to_owned(), |path| path.display().to_string())
}

fn instructions(settings: &Settings, program: &str) -> String {
    let url = &settings.issuer;
    let data_dir = settings.data_dir.canonicalize().unwrap_or_else(|_| settings.data_dir.clone());
    let data_dir = data_dir.display();
    format!(
        r#"
  Countersign {version} is running on {url}   (Ctrl-C stops it)

  Open {url}/demo in a browser and sign in as {USER} with the password {PASSWORD}.

  Or try it here: copy these into another terminal, one after the other.

  # 0. two helpers for this shell
  cs() {{ "{program}" --data-dir "{data_dir}" "$@"; }}
  field() {{ sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }}

  # 1. a token pair, as a back end asks for one when it has signed its user in
  pair=$(cs session add --user {USER} --client {CLIENT} --device "my laptop" --json)
  access=$(echo "$pair" | field access_token); r0=$(echo "$pair" | field refresh_token); sid=$(echo "$pair" | field session_id)

  # 2. call an API with the access token
  curl -s {url}/api/profile -H "Authorization: Bearer $access"; echo

  # 3. refresh: with a JSON body, and again with a form
  r1=$(curl -s {url}/oauth/token -H 'Content-Type: application/json' -d '{{"grant_type":"refresh_token","client_id":"{CLIENT}","refresh_token":"'$r0'"}}' | tee /dev/stderr | field refresh_token); echo
  r2=$(curl -s {url}/oauth/token -d grant_type=refresh_token -d client_id={CLIENT} -d refresh_token=$r1 | tee /dev/stderr | field refresh_token); echo

  # 4. a thief has the first refresh token: using it ends the session, for the thief and for everyone
  curl -s {url}/oauth/token -d grant_type=refresh_token -d client_id={CLIENT} -d refresh_token=$r0; echo
  curl -s {url}/oauth/token -d grant_type=refresh_token -d client_id={CLIENT} -d refresh_token=$r2; echo

  # 5. what happened?
  cs session explain $sid

  # 6. a refresh token is not for APIs
  curl -s {url}/api/profile -H "Authorization: Bearer $r2"; echo

  How long tokens live, for client developers: {url}/docs/lifetimes
  What stands in a token, without sending it anywhere: {url}/decode
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}
