//! Requests to the token endpoint and its answers (RFC 6749 sections 4.4, 5.1 and 6).

use serde::Serialize;

use crate::{
    AccessToken, AuthorizationCode, CodeVerifier, DeviceCode, ErrorBody, ErrorCode, IdToken, Parameters,
    RefreshToken, Scope,
};

/// What a client asks of the token endpoint; its credentials are found apart from it.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The grant and what belongs to it.
    pub grant: Grant,
    /// The scope asked for; `None` asks for all that was granted.
    pub scope: Option<Scope>,
    /// `resource` of RFC 8707: each an absolute URI without a fragment, as sent.
    pub resources: Vec<String>,
}

/// The grants that the token endpoint knows.
#[derive(Debug, Clone)]
pub enum Grant {
    /// RFC 6749 section 6.
    RefreshToken(RefreshToken),
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// OAuth 2.1 section 4.1.3.
    AuthorizationCode(CodeGrant),
    /// RFC 8628 section 3.4.
    DeviceCode(DeviceCode),
}

/// What belongs to the authorization code grant (OAuth 2.1 section 4.1.3).
#[derive(Debug, Clone)]
pub struct CodeGrant {
    /// The code.
    pub code: AuthorizationCode,
    /// The redirect URI as it was in the authorization request.
    pub redirect_uri: Option<String>,
    /// The PKCE verifier.
    pub verifier: Option<CodeVerifier>,
}

/// The `grant_type` of RFC 8628 section 3.4.
pub const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl TokenRequest {
    /// Reads the request out of its parameters; unknown ones are ignored (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// The error answer of RFC 6749 section 5.2 or RFC 8707 section 2.
    pub fn parse(parameters: &Parameters) -> Result<Self, ErrorBody> {
        let refuse = |error, text: &str| Err(ErrorBody { error, error_description: text.to_owned() });
        let grant = match parameters.get("grant_type") {
            None => return refuse(ErrorCode::InvalidRequest, "grant_type is missing"),
            Some("refresh_token") => match parameters.get("refresh_token") {
                None => return refuse(ErrorCode::InvalidRequest, "refresh_token is missing"),
                Some(token) => Grant::RefreshToken(RefreshToken::new(token.to_owned())),
            },
            Some("client_credentials") => Grant::ClientCredentials,
            Some("authorization_code") => match parameters.get("code") {
                None => return refuse(ErrorCode::InvalidRequest, "code is missing"),
                Some(code) => Grant::AuthorizationCode(CodeGrant {
                    code: AuthorizationCode::new(code.to_owned()),
                    redirect_uri: parameters.get("redirect_uri").map(str::to_owned),
                    verifier: parameters.get("code_verifier").map(|v| CodeVerifier::new(v.to_owned())),
                }),
            },
            Some(DEVICE_CODE_GRANT) => match parameters.get("device_code") {
                None => return refuse(ErrorCode::InvalidRequest, "device_code is missing"),
                Some(code) => Grant::DeviceCode(DeviceCode::new(code.to_owned())),
            },
            Some(_) => {
                return refuse(
                    ErrorCode::UnsupportedGrantType,
                    "grant_type must be authorization_code, refresh_token, client_credentials or urn:ietf:params:oauth:grant-type:device_code",
                );
            }
        };
        let scope = match parameters.get("scope").map(str::parse::<Scope>) {
            None => None,
            Some(Ok(scope)) => Some(scope),
            Some(Err(invalid)) => return refuse(ErrorCode::InvalidScope, &invalid.to_string()),
        };
        Ok(Self { grant, scope, resources: resources(parameters)? })
    }
}

/// The resources asked for (RFC 8707 section 2).
///
/// # Errors
/// `invalid_target` for what is no absolute URI without a fragment.
pub(crate) fn resources(parameters: &Parameters) -> Result<Vec<String>, ErrorBody> {
    let resources: Vec<String> = parameters.all("resource").map(str::to_owned).collect();
    for resource in &resources {
        // RFC 3986 sections 4.3 and 3.1.
        let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let absolute = resource.split_once(':').is_some_and(|(scheme, rest)| {
            let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
            starts && scheme.chars().all(in_scheme) && !rest.is_empty()
        });
        let printable = resource.bytes().all(|b| b.is_ascii_graphic());
        if !absolute || !printable || resource.contains('#') {
            return Err(ErrorBody {
                error: ErrorCode::InvalidTarget,
                error_description: "resource must be an absolute URI without a fragment".to_owned(),
            });
        }
    }
    Ok(resources)
}

/// A successful token answer (RFC 6749 section 5.1), with the lifetimes of
/// draft-ietf-oauth-refresh-token-expiration.
#[derive(Debug, Clone, Serialize)]
pub struct TokenAnswer {
    /// The access token.
    pub access_token: AccessToken,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// What the access token is good for.
    pub scope: Scope,
    /// The refresh token to use next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<RefreshToken>,
    /// Seconds until the refresh token expires if it is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<u64>,
    /// Seconds until the session ends however often it is refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_expires_in: Option<u64>,
    /// Who signed in, when `openid` was granted (OpenID Connect Core sections 3.1.3.3 and 12.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<IdToken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<TokenRequest, ErrorCode> {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        TokenRequest::parse(&Parameters::new(pairs).unwrap()).map_err(|body| body.error)
    }

    #[test]
    fn the_grant_is_named_and_complete() {
        assert_eq!(parse(&[]).unwrap_err(), ErrorCode::InvalidRequest);
        assert_eq!(parse(&[("grant_type", "")]).unwrap_err(), ErrorCode::InvalidRequest);
        assert_eq!(parse(&[("grant_type", "password")]).unwrap_err(), ErrorCode::UnsupportedGrantType);
        assert_eq!(parse(&[("grant_type", "refresh_token")]).unwrap_err(), ErrorCode::InvalidRequest);
        assert!(parse(&[("grant_type", "client_credentials"), ("unknown", "x")]).is_ok());
    }

    #[test]
    fn a_resource_is_an_absolute_uri() {
        let with = |r| parse(&[("grant_type", "client_credentials"), ("resource", r)]);
        assert!(with("https://api.example").is_ok());
        assert!(with("urn:api").is_ok());
        assert_eq!(with("/relative").unwrap_err(), ErrorCode::InvalidTarget);
        assert_eq!(with("https://api.example/#x").unwrap_err(), ErrorCode::InvalidTarget);
    }
}
