//! huskarl: a desktop program, a device and a service. It pushes its authorization requests.

use std::collections::BTreeSet;

use countersign_clients::{Failure, Person, env};
use huskarl::core::Error;
use huskarl::core::client_auth::{ClientSecret, NoAuth};
use huskarl::core::secrets::EnvVarSecret;
use huskarl::core::server_metadata::AuthorizationServerMetadata;
use huskarl::grant::authorization_code::{AuthorizationCodeGrant, CompleteInput, CompleteOutput, StartInput};
use huskarl::grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters};
use huskarl::grant::core::TokenResponse;
use huskarl::grant::device_authorization::{self, DeviceAuthorizationGrant};
use huskarl::grant::refresh::{RefreshGrant, RefreshGrantParameters};
use huskarl::prelude::*;
use huskarl::revocation::TokenRevocation;
use huskarl::token::RefreshToken;
use huskarl::userinfo::UserInfoClient;
use huskarl_reqwest::ReqwestClient;
use url::Url;

struct Program {
    http: ReqwestClient,
    grant: AuthorizationCodeGrant,
    refresh: RefreshGrant,
    userinfo: UserInfoClient,
    person: Person,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let http = ReqwestClient::builder().build().await?;
    let metadata =
        AuthorizationServerMetadata::fetch().http_client(&http).issuer(env("ISSUER")).call().await?;
    let grant = AuthorizationCodeGrant::builder_from_metadata(&metadata)?
        .client_id(env("PUBLIC_ID"))
        .http_client(http.clone())
        .client_auth(NoAuth)
        .redirect_uri(env("REDIRECT_URI"))
        .build()
        .await?;
    let userinfo = UserInfoClient::builder_from_grant(&grant, &metadata)?.build().await?;
    let revocation = TokenRevocation::builder_from_metadata(&metadata)?
        .client_id(env("PUBLIC_ID"))
        .client_auth(NoAuth)
        .build();
    let refresh = grant.to_refresh_grant();
    let mut program = Program { http: http.clone(), grant, refresh, userinfo, person: Person::from_env()? };

    // Sign in, and see who it is.
    let signed_in = program.sign_in().await?;
    let sub = subject(&signed_in)?;
    let mut tokens = signed_in.token_response;
    program.check_userinfo(&tokens, &sub).await?;

    // Refresh, one after another.
    for _ in 0..5 {
        let next = program.refresh(&tokens).await?;
        assert_ne!(secret(&next), secret(&tokens));
        tokens = next;
    }
    // Eight at once with one token: all get the same successor, and nobody is signed out.
    let again = || program.refresh(&tokens);
    let (a, b, c, d, e, f, g, h) =
        tokio::try_join!(again(), again(), again(), again(), again(), again(), again(), again())?;
    let answers = [a, b, c, d, e, f, g, h];
    assert_eq!(answers.iter().map(secret).collect::<BTreeSet<_>>().len(), 1);
    let tokens = program.refresh(&answers[0]).await?;
    program.check_userinfo(&tokens, &sub).await?;

    // Revoke.
    revocation.revoke(&http, refresh_token(&tokens)).await?;
    program.is_over(&tokens, &sub).await?;

    // Sign in again, and out.
    let signed_in = program.sign_in().await?;
    let tokens = signed_in.token_response;
    let id_token = tokens.id_token().ok_or("no ID token")?.token().to_owned();
    let back = env("POST_LOGOUT_REDIRECT_URI");
    let end = metadata.end_session_endpoint.as_ref().ok_or("no end_session_endpoint")?;
    let end = Url::parse_with_params(
        &end.as_uri().to_string(),
        [("id_token_hint", &id_token), ("post_logout_redirect_uri", &back)],
    )?;
    assert_eq!(program.person.go_to(end.as_str()).await?.as_str(), back);
    program.is_over(&tokens, &sub).await?;

    // A device without a keyboard, while the person decides elsewhere.
    let device = DeviceAuthorizationGrant::builder_from_metadata(&metadata)?
        .client_id(env("DEVICE_ID"))
        .http_client(http.clone())
        .client_auth(NoAuth)
        .build();
    let started = device.start(device_authorization::StartInput::scope(scope())).await?;
    let address = started.verification_uri_complete.ok_or("no verification_uri_complete")?;
    program.person.go_to(&address.to_string()).await?;
    let mut pending = started.pending_state;
    let tokens = device.poll_to_completion(&mut pending, None).await?;
    program.check_userinfo(&tokens, &sub).await?;

    // A service acts for itself.
    let service = ClientCredentialsGrant::builder_from_metadata(&metadata)
        .client_id(env("SERVICE_ID"))
        .http_client(http.clone())
        .client_auth(ClientSecret::new(EnvVarSecret::string("SERVICE_SECRET")?))
        .build();
    let wanted =
        ClientCredentialsGrantParameters::builder().scope(vec!["read".to_owned()]).resource(vec![env("API")]);
    let own = service.exchange(wanted.build()).await?;
    assert!(own.refresh_token().is_none());
    Ok(())
}

impl Program {
    async fn sign_in(&mut self) -> Result<CompleteOutput, Failure> {
        let started = self.grant.start(StartInput::scope(scope())).await?;
        let address = started.authorization_url.to_string();
        assert!(address.contains("request_uri="), "the request was not pushed: {address}");
        let back = self.person.go_to(&address).await?;
        let input: CompleteInput = back.as_str().parse()?;
        // The ID token is checked too: its signature, and what the request asked for.
        Ok(self.grant.complete(&started.pending_state, input).await?)
    }

    async fn refresh(&self, tokens: &TokenResponse) -> Result<TokenResponse, Error> {
        self.refresh.exchange(RefreshGrantParameters::refresh_token(refresh_token(tokens).clone())).await
    }

    async fn check_userinfo(&self, tokens: &TokenResponse, sub: &str) -> Result<(), Failure> {
        let told = self.userinfo.get(&self.http, tokens.access_token(), sub).await?;
        assert_eq!(told.profile.preferred_username, Some(env("PERSON")));
        Ok(())
    }

    async fn is_over(&self, tokens: &TokenResponse, sub: &str) -> Result<(), Failure> {
        let refused = self.refresh(tokens).await.expect_err("the session goes on");
        assert_eq!(refused.verdict().map(|verdict| verdict.code().as_str()), Some("invalid_grant"));
        self.check_userinfo(tokens, sub).await.expect_err("the access token is still good");
        Ok(())
    }
}

fn scope() -> Vec<String> {
    ["openid", "profile", "email", "offline_access", "read"].map(str::to_owned).to_vec()
}

fn subject(signed_in: &CompleteOutput) -> Result<String, Failure> {
    let id_token = signed_in.id_token.as_ref().ok_or("no ID token")?;
    Ok(id_token.sub.clone().ok_or("no sub")?)
}

fn refresh_token(tokens: &TokenResponse) -> &RefreshToken {
    tokens.refresh_token().expect("no refresh token")
}

fn secret(tokens: &TokenResponse) -> String {
    refresh_token(tokens).token().expose_secret().to_owned()
}
