//! The authorization request (OAuth 2.1 section 4.1.1, OpenID Connect Core section 3.1.2.1) and
//! the answer that travels back through the browser.

use serde::{Deserialize, Serialize};

use crate::{ErrorBody, ErrorCode, Parameters, Scope, token};

/// How the answer travels (OAuth 2.0 Multiple Response Types section 2.1, OAuth 2.0 Form Post).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the redirect URI's query.
    #[default]
    Query,
    /// In a form that the browser posts.
    FormPost,
}

impl ResponseMode {
    /// Reads the parameter; absent is the default of `response_type=code`.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("query") => Some(Self::Query),
            Some("form_post") => Some(Self::FormPost),
            Some(_) => None,
        }
    }
}

/// What the client wants a person to be asked (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Ask nothing: an error instead.
    pub none: bool,
    /// Authenticate again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the person choose another account.
    pub select_account: bool,
}

/// What a client asks of a person, without what identifies the client and the place to answer to:
/// those are checked first, because nothing is sent to a place that was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// What is asked for; `None` asks for all that the client may have.
    pub scope: Option<Scope>,
    /// For which resources (RFC 8707).
    pub resources: Vec<String>,
    /// The PKCE challenge (RFC 7636), as sent: its form is checked with the client's settings.
    pub code_challenge: Option<String>,
    /// Goes into the ID token unchanged.
    pub nonce: Option<String>,
    /// What a person is asked.
    pub prompt: Prompt,
    /// How many seconds ago the person may have authenticated.
    pub max_age: Option<u64>,
    /// Who the client thinks is there.
    pub login_hint: Option<String>,
    /// An ID token of who the client thinks is there.
    pub id_token_hint: Option<String>,
    /// How well the person should be authenticated, the best liked first.
    pub acr_values: Vec<String>,
    /// Languages for the pages.
    pub ui_locales: Option<String>,
}

/// Longest `nonce`, in bytes: it is kept, and comes back in a token.
const MAX_NONCE: usize = 512;
/// Longest hint, in bytes.
const MAX_HINT: usize = 256;
/// Longest ID token as a hint, in bytes.
const MAX_TOKEN_HINT: usize = 4096;
/// Most `acr_values`.
const MAX_ACR_VALUES: usize = 16;

impl AuthorizationRequest {
    /// Reads the request; unknown parameters are ignored (OAuth 2.1 section 3.1).
    ///
    /// # Errors
    /// The error that is sent to the redirect URI (OAuth 2.1 section 4.1.2.1).
    pub fn parse(parameters: &Parameters) -> Result<Self, ErrorBody> {
        let refuse = |error, text: &str| Err(ErrorBody { error, error_description: text.to_owned() });
        if parameters.get("request").is_some() {
            return refuse(ErrorCode::RequestNotSupported, "request objects are not supported: use PAR");
        }
        if parameters.get("request_uri").is_some() {
            return refuse(
                ErrorCode::RequestUriNotSupported,
                "request_uri must be a handle of the pushed authorization request endpoint",
            );
        }
        match parameters.get("response_type") {
            Some("code") => {}
            None => return refuse(ErrorCode::InvalidRequest, "response_type is missing"),
            Some(_) => return refuse(ErrorCode::UnsupportedResponseType, "response_type must be code"),
        }
        if ResponseMode::parse(parameters.get("response_mode")).is_none() {
            return refuse(ErrorCode::InvalidRequest, "response_mode must be query or form_post");
        }
        if parameters.get("registration").is_some() {
            return refuse(ErrorCode::RegistrationNotSupported, "registration is not supported");
        }
        let scope = match parameters.get("scope").map(str::parse::<Scope>) {
            None => None,
            Some(Ok(scope)) => Some(scope),
            Some(Err(invalid)) => return refuse(ErrorCode::InvalidScope, &invalid.to_string()),
        };
        let resources = token::resources(parameters)?;
        let code_challenge = parameters.get("code_challenge").map(str::to_owned);
        // RFC 7636 section 4.3: an omitted method means `plain`, which OAuth 2.1 has not.
        match (&code_challenge, parameters.get("code_challenge_method")) {
            (None, None) | (Some(_), Some("S256")) => {}
            _ => return refuse(ErrorCode::InvalidRequest, "code_challenge_method must be S256"),
        }
        let short = |name: &'static str, most: usize| match parameters.get(name) {
            Some(text) if text.len() > most => Err(ErrorBody {
                error: ErrorCode::InvalidRequest,
                error_description: format!("{name} is longer than {most} bytes"),
            }),
            text => Ok(text.map(str::to_owned)),
        };
        let Some(prompt) = prompt(parameters.get("prompt")) else {
            return refuse(
                ErrorCode::InvalidRequest,
                "prompt must be none alone, or some of login, consent and select_account",
            );
        };
        let max_age = match parameters.get("max_age").map(str::parse::<u64>) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            Some(Err(_)) => return refuse(ErrorCode::InvalidRequest, "max_age must be a number of seconds"),
        };
        let acr_values: Vec<String> = parameters
            .get("acr_values")
            .map(|text| text.split(' ').filter(|v| !v.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();
        if acr_values.len() > MAX_ACR_VALUES {
            return refuse(ErrorCode::InvalidRequest, "acr_values has more than 16 values");
        }
        Ok(Self {
            scope,
            resources,
            code_challenge,
            nonce: short("nonce", MAX_NONCE)?,
            prompt,
            max_age,
            login_hint: short("login_hint", MAX_HINT)?,
            id_token_hint: short("id_token_hint", MAX_TOKEN_HINT)?,
            acr_values,
            ui_locales: short("ui_locales", MAX_HINT)?,
        })
    }
}

/// `None` for a value or a combination that the standard does not have.
fn prompt(text: Option<&str>) -> Option<Prompt> {
    let mut prompt = Prompt::default();
    for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return None,
        }
    }
    let others = prompt.login || prompt.consent || prompt.select_account;
    (!(prompt.none && others)).then_some(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<AuthorizationRequest, ErrorCode> {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        AuthorizationRequest::parse(&Parameters::new(pairs).unwrap()).map_err(|body| body.error)
    }

    #[test]
    fn a_plain_request() {
        let request = parse(&[("response_type", "code"), ("scope", "openid a"), ("unknown", "x")]).unwrap();
        assert!(request.scope.unwrap().contains("openid"));
        assert_eq!(request.prompt, Prompt::default());
    }

    #[test]
    fn what_is_malformed_is_named() {
        fn with(name: &str, value: &str) -> ErrorCode {
            parse(&[("response_type", "code"), (name, value)]).unwrap_err()
        }
        assert_eq!(parse(&[]).unwrap_err(), ErrorCode::InvalidRequest);
        assert_eq!(parse(&[("response_type", "token")]).unwrap_err(), ErrorCode::UnsupportedResponseType);
        assert_eq!(
            parse(&[("response_type", "code id_token")]).unwrap_err(),
            ErrorCode::UnsupportedResponseType
        );
        assert_eq!(with("request", "eyJ"), ErrorCode::RequestNotSupported);
        assert_eq!(with("request_uri", "https://a.example/r"), ErrorCode::RequestUriNotSupported);
        assert_eq!(with("response_mode", "fragment"), ErrorCode::InvalidRequest);
        assert_eq!(with("scope", "a\"b"), ErrorCode::InvalidScope);
        assert_eq!(with("resource", "/relative"), ErrorCode::InvalidTarget);
        assert_eq!(with("prompt", "none login"), ErrorCode::InvalidRequest);
        assert_eq!(with("prompt", "create"), ErrorCode::InvalidRequest);
        assert_eq!(with("max_age", "-1"), ErrorCode::InvalidRequest);
        assert_eq!(with("nonce", &"n".repeat(513)), ErrorCode::InvalidRequest);
        assert_eq!(with("code_challenge", "abc"), ErrorCode::InvalidRequest);
        assert_eq!(with("code_challenge_method", "S256"), ErrorCode::InvalidRequest);
        let plain =
            [("response_type", "code"), ("code_challenge", "abc"), ("code_challenge_method", "plain")];
        assert_eq!(parse(&plain).unwrap_err(), ErrorCode::InvalidRequest);
    }
}
