//! openidconnect: a web application.

use std::collections::BTreeSet;

use countersign_clients::{Failure, Person, env};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreProviderMetadata, CoreRevocableToken,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::reqwest::{self, redirect::Policy};
use openidconnect::{
    AccessToken, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpClientError, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl,
    Scope, SubjectIdentifier, TokenResponse,
};
use serde_json::Value;
use url::Url;

/// The library's client as discovery leaves it.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

struct Application {
    http: reqwest::Client,
    client: Client,
    person: Person,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let http = reqwest::Client::builder().redirect(Policy::none()).build()?;
    let issuer = IssuerUrl::new(env("ISSUER"))?;
    let provider = CoreProviderMetadata::discover_async(issuer, &http).await?;
    // What the library's discovery leaves out.
    let more: Value =
        http.get(env("ISSUER") + "/.well-known/openid-configuration").send().await?.json().await?;
    let endpoint = |name: &str| more[name].as_str().unwrap_or_default().to_owned();
    let secret = ClientSecret::new(env("CLIENT_SECRET"));
    let client = CoreClient::from_provider_metadata(provider, ClientId::new(env("CLIENT_ID")), Some(secret))
        .set_redirect_uri(RedirectUrl::new(env("REDIRECT_URI"))?)
        // It revokes over https only, and the test's server has none.
        .set_revocation_url(RevocationUrl::new(
            endpoint("revocation_endpoint").replace("http://", "https://"),
        )?);
    let mut application = Application { http, client, person: Person::from_env()? };

    // Sign in, and see who it is.
    let (mut tokens, who) = application.sign_in().await?;
    let userinfo = application.userinfo(tokens.access_token(), &who).await?;
    assert_eq!(userinfo.preferred_username().map(|name| name.as_str()), Some(env("PERSON").as_str()));
    assert_eq!(userinfo.email().map(|email| email.as_str()), Some(env("EMAIL").as_str()));

    // Refresh, one after another.
    for _ in 0..5 {
        let next = application.refresh(refresh_token(&tokens)).await?;
        assert_ne!(refresh_token(&next).secret(), refresh_token(&tokens).secret());
        tokens = next;
    }
    // Eight at once with one token: all get the same successor, and nobody is signed out.
    let refresh = || application.refresh(refresh_token(&tokens));
    let (a, b, c, d, e, f, g, h) = tokio::try_join!(
        refresh(),
        refresh(),
        refresh(),
        refresh(),
        refresh(),
        refresh(),
        refresh(),
        refresh()
    )?;
    let answers = [a, b, c, d, e, f, g, h];
    let successors: BTreeSet<_> = answers.iter().map(|answer| refresh_token(answer).secret()).collect();
    assert_eq!(successors.len(), 1);
    let tokens = application.refresh(refresh_token(&answers[0])).await?;
    application.userinfo(tokens.access_token(), &who).await?;

    // Revoke.
    let revocable = CoreRevocableToken::from(refresh_token(&tokens).clone());
    application.client.revoke_token(revocable)?.request_async(&|r| without_tls(&application.http, r)).await?;
    application.is_over(&tokens, &who).await?;

    // Sign in again, and out.
    let (tokens, who) = application.sign_in().await?;
    let id_token = tokens.id_token().ok_or("no ID token")?.to_string();
    let back = env("POST_LOGOUT_REDIRECT_URI");
    let end = Url::parse_with_params(
        &endpoint("end_session_endpoint"),
        [("id_token_hint", &id_token), ("post_logout_redirect_uri", &back)],
    )?;
    assert_eq!(application.person.go_to(end.as_str()).await?.as_str(), back);
    application.is_over(&tokens, &who).await
}

impl Application {
    async fn sign_in(&mut self) -> Result<(CoreTokenResponse, SubjectIdentifier), Failure> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = self
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(
                ["profile", "email", "offline_access", "read"].map(|name| Scope::new(name.to_owned())),
            )
            .set_pkce_challenge(challenge)
            .url();
        let back = self.person.go_to(url.as_str()).await?;
        let parameter = |name: &str| back.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value);
        assert_eq!(parameter("state").as_deref(), Some(state.secret().as_str()));
        let code = parameter("code").ok_or_else(|| format!("no code in {back}"))?;
        let tokens = self
            .client
            .exchange_code(AuthorizationCode::new(code.into_owned()))?
            .set_pkce_verifier(verifier)
            .request_async(&self.http)
            .await?;
        // Its signature, and what the standard asks for.
        let id_token = tokens.id_token().ok_or("no ID token")?;
        let claims = id_token.claims(&self.client.id_token_verifier(), &nonce)?;
        let subject = claims.subject().clone();
        Ok((tokens, subject))
    }

    async fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse, Failure> {
        match self.client.exchange_refresh_token(token)?.request_async(&self.http).await {
            Ok(tokens) => Ok(tokens),
            Err(RequestTokenError::ServerResponse(refused)) => Err(refused.error().to_string().into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn userinfo(
        &self,
        token: &AccessToken,
        who: &SubjectIdentifier,
    ) -> Result<CoreUserInfoClaims, Failure> {
        Ok(self.client.user_info(token.clone(), Some(who.clone()))?.request_async(&self.http).await?)
    }

    async fn is_over(&self, tokens: &CoreTokenResponse, who: &SubjectIdentifier) -> Result<(), Failure> {
        let refused = self.refresh(refresh_token(tokens)).await.expect_err("the session goes on");
        assert_eq!(refused.to_string(), CoreErrorResponseType::InvalidGrant.to_string());
        self.userinfo(tokens.access_token(), who).await.expect_err("the access token is still good");
        Ok(())
    }
}

/// Sends a request as a proxy before the server would pass it on. Leave this out everywhere else.
async fn without_tls(
    http: &reqwest::Client,
    mut request: HttpRequest,
) -> Result<HttpResponse, HttpClientError<reqwest::Error>> {
    let plain = request.uri().to_string().replace("https://", "http://");
    *request.uri_mut() = plain.parse().map_err(|_| HttpClientError::Other("no address".to_owned()))?;
    http.call(request).await
}

fn refresh_token(tokens: &CoreTokenResponse) -> &RefreshToken {
    tokens.refresh_token().expect("no refresh token")
}
