//! An application that has its people signed in by the server: what it registers, asks and
//! exchanges.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::store::SignInSettings;
use serde_json::{Value, json};

use crate::browser::{Away, Browser, Stop};
use crate::support::{AUDIENCE, Answer, TestServer, basic};

/// A password that no list has.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Where the application takes answers.
pub(crate) const CALLBACK: &str = "https://shop.example/cb";
/// All that the application may have.
pub(crate) const SCOPE: &str = "openid profile email offline_access read write";
/// The verifier and the challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A good authorization request of the client `shop`.
pub(crate) fn request() -> Vec<(&'static str, String)> {
    [
        ("client_id", "shop"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid read"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.to_owned()))
    .collect()
}

/// The same with some parameters replaced or added; an empty value takes one out.
pub(crate) fn request_with(changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut pairs = request();
    pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let kept = changes.iter().filter(|(_, value)| !value.is_empty());
    pairs.extend(kept.map(|(name, value)| (*name, (*value).to_owned())));
    pairs
}

/// The address of an authorization request.
pub(crate) fn address(pairs: &[(&str, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/oauth/authorize?{query}")
}

impl TestServer {
    /// A user with a password.
    pub(crate) async fn person(&self, name: &str) -> String {
        let body = json!({"username": name, "password": PASSWORD, "email": format!("{name}@example.com")});
        self.admin_post("/users", body).await.assert_ok().str("user_id")
    }

    /// A user `alice` with a password, and a confidential web client `shop`; gives its secret.
    pub(crate) async fn shop(&self) -> String {
        self.person("alice").await;
        self.web_client("shop", CALLBACK).await
    }

    /// A confidential web client.
    pub(crate) async fn web_client(&self, id: &str, redirect_uri: &str) -> String {
        let more = json!({"kind": "web", "scope": SCOPE, "redirect_uris": [redirect_uri]});
        self.confidential_client(id, more).await
    }

    /// A public client.
    pub(crate) async fn native_client(&self, id: &str, redirect_uri: &str) {
        let body = json!({"id": id, "kind": "native", "scope": SCOPE, "audience": [AUDIENCE],
            "redirect_uris": [redirect_uri]});
        self.admin_post("/clients", body).await.assert_ok();
    }

    /// Changes how a client has its users signed in.
    pub(crate) async fn set_sign_in(&self, id: &str, change: impl FnOnce(&mut SignInSettings)) {
        let mut client = self.app.store.client(&id.parse().unwrap()).await.unwrap().unwrap();
        change(&mut client.settings.sign_in);
        let revision = client.revision;
        assert!(self.app.store.replace_client(&client, revision).await.unwrap());
        self.app.clients.forget_all();
    }

    /// The exchange of a code by `shop`.
    pub(crate) async fn exchange(&self, secret: &str, code: &str) -> Answer {
        self.exchange_with(secret, &[("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)])
            .await
    }

    /// The same with these parameters.
    pub(crate) async fn exchange_with(&self, secret: &str, pairs: &[(&str, &str)]) -> Answer {
        let mut all = vec![("grant_type", "authorization_code")];
        all.extend_from_slice(pairs);
        self.form_with("/oauth/token", &all, &[("authorization", &basic("shop", secret))]).await
    }

    /// A refresh by `shop`.
    pub(crate) async fn refresh_shop(&self, secret: &str, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form_with("/oauth/token", &pairs, &[("authorization", &basic("shop", secret))]).await
    }
}

impl Browser<'_> {
    /// Goes where the client `shop` sends it.
    pub(crate) async fn ask(&mut self, pairs: &[(&str, String)]) -> Stop {
        self.open(&address(pairs)).await
    }

    /// Signs `alice` in and agrees, as far as she is asked; gives what the client receives.
    pub(crate) async fn allow(&mut self, pairs: &[(&str, String)]) -> Away {
        let mut stop = self.ask(pairs).await;
        loop {
            let page = match stop {
                Stop::Away(away) => return away,
                Stop::Page(page) => page,
            };
            assert!(page.answer.status.is_success(), "{}: {}", page.path, page.answer.text);
            stop = match page.path.split('?').next().unwrap() {
                "/signin" => self.sign_in(&page, "alice", PASSWORD).await,
                "/signin/confirm" => self.submit(&page, &[("password", PASSWORD)]).await,
                "/consent" => self.submit(&page, &[("action", "allow")]).await,
                other => panic!("{other}: {}", page.answer.text),
            };
        }
    }

    /// A code for `shop`.
    pub(crate) async fn code(&mut self) -> String {
        self.allow(&request()).await.parameter("code")
    }
}

/// The claims of a JWT, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}
