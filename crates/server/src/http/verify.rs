//! `/verify`: checks the token of a request for a gateway that asks before it hands the request on
//! (nginx `auth_request`, Envoy `ext_authz` over HTTP, Traefik `forwardAuth`).
//!
//! What is wanted stands in the query, which the gateway's configuration writes: `audience`, and if
//! need be `scope`, `role`, `acr` and `max_age`. Envoy puts the path and query of the client's request
//! behind that; `path=` at the end of the configured prefix takes it in, so that nothing in it counts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use countersign_wire::{AccessClaims, Parameters, Scope};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Public;
use super::error::OAuthError;
use super::form;
use super::protected::{bearer_token, refuse_with};
use crate::flows::bearer::{self, BearerRefusal, Wanted};
use crate::flows::{FlowResult, Refusal};

/// What begins the client's own path and query.
const REST: &str = "path=";
const REALM: &str = "api";

/// Says whether the request may pass: 200 with what is known of the token, or 401 or 403 to be handed
/// to the client as they are.
pub(super) async fn verify(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let wanted = match wanted(request.uri().query().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(refusal) => return OAuthError::new(&refusal.into(), false).into_response(),
    };
    let token = match bearer_token(request.headers(), None) {
        Ok(token) => token,
        Err(refusal) => return refuse(&wanted, &refusal),
    };
    answer(&wanted, bearer::check_all(&public.app, token, &wanted, now).await)
}

fn answer(wanted: &Wanted, checked: FlowResult<Result<Arc<AccessClaims>, BearerRefusal>>) -> Response {
    match checked {
        Ok(Ok(claims)) => (StatusCode::OK, identity(&claims)).into_response(),
        Ok(Err(refusal)) => refuse(wanted, &refusal),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}

/// What the gateway wants, by its configuration.
fn wanted(query: &str) -> Result<Wanted, Refusal> {
    let ours = match query.split_once("&path=") {
        _ if query.starts_with(REST) => "",
        Some((ours, _)) => ours,
        None => query,
    };
    let known = ["audience", "scope", "role", "acr", "max_age"];
    // Nothing is overlooked: what was mistyped, or left empty, was meant to protect something.
    for (name, value) in form::parse_pairs(ours.as_bytes())? {
        if !known.contains(&name.as_str()) {
            return Err(Refusal::invalid_request(
                "/verify takes audience, scope, role, acr and max_age only",
            ));
        }
        if value.is_empty() {
            return Err(Refusal::invalid_request("a parameter of /verify is empty"));
        }
    }
    let parameters = form::parse_form(ours.as_bytes())?;
    let text = |name| parameters.get(name).map(str::to_owned);
    let max_age = parameters.get("max_age").map(str::parse::<u64>).transpose();
    Ok(Wanted {
        audience: text("audience").ok_or_else(|| {
            Refusal::invalid_request("audience is missing: the gateway's configuration must name the API")
        })?,
        scope: scope(&parameters)?,
        role: text("role"),
        acr: text("acr"),
        max_age: max_age.map_err(|_| Refusal::invalid_request("max_age must be a number of seconds"))?,
    })
}

fn scope(parameters: &Parameters) -> Result<Scope, Refusal> {
    let scope = parameters.get("scope").map(str::parse::<Scope>).transpose();
    scope.map(Option::unwrap_or_default).map_err(|invalid| Refusal::invalid_request(invalid.to_string()))
}

/// The challenge says what would help (RFC 6750 section 3, RFC 9470 section 3).
fn refuse(wanted: &Wanted, refusal: &BearerRefusal) -> Response {
    refuse_with(REALM, refusal, |refusal| match refusal {
        BearerRefusal::Scope => format!(", scope=\"{}\"", wanted.scope),
        BearerRefusal::Authentication => {
            let plain =
                |text: &&String| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
            let acr = wanted.acr.as_ref().filter(plain).map(|acr| format!(", acr_values=\"{acr}\""));
            let max_age = wanted.max_age.map(|seconds| format!(", max_age=\"{seconds}\""));
            [acr, max_age].into_iter().flatten().collect()
        }
        _ => String::new(),
    })
}

/// A text as the value of a header: all but plain characters percent-encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Who it is, in headers that all come each time, empty if need be: a gateway that copies them
/// onto the request then overwrites whatever the client sent under these names.
fn identity(claims: &AccessClaims) -> HeaderMap {
    let optional = |text: &Option<String>| text.as_deref().map(encoded).unwrap_or_default();
    let roles: Vec<String> = claims.roles.iter().map(|role| encoded(role)).collect();
    let headers = [
        ("countersign-subject", encoded(&claims.sub)),
        ("countersign-client", encoded(claims.client_id.as_str())),
        ("countersign-session", claims.sid.map(|sid| sid.to_string()).unwrap_or_default()),
        ("countersign-scope", claims.scope.to_string()),
        ("countersign-tenant", optional(&claims.tenant)),
        ("countersign-roles", roles.join(",")),
        ("countersign-acr", optional(&claims.acr)),
        ("countersign-expires", claims.exp.to_string()),
    ];
    let value = |text: String| HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    headers.into_iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_stands_before_the_clients_own_request() {
        let all = wanted("audience=https%3A%2F%2Fapi.example&scope=read+write&role=a%20b&acr=x&max_age=300")
            .unwrap();
        assert_eq!(all.audience, "https://api.example");
        assert_eq!(all.scope, "read write".parse().unwrap());
        assert_eq!(
            (all.role.as_deref(), all.acr.as_deref(), all.max_age),
            (Some("a b"), Some("x"), Some(300))
        );
        // As Envoy sends it, with somebody's tricks behind.
        for trick in ["/x?a=1", "/x?audience=other&scope=none", "/&scope=none", "/x&path=/y&audience=z", ""] {
            let one = wanted(&format!("audience=api&scope=read&path={trick}")).unwrap();
            assert_eq!((one.audience.as_str(), one.scope), ("api", "read".parse().unwrap()), "{trick}");
        }
    }

    #[test]
    fn a_gateway_that_is_configured_wrongly_lets_nothing_pass() {
        for bad in [
            "",
            "scope=read",
            "audience=",
            "path=/x&audience=api",
            "audience=a&audience=b",
            "audience=a&scope=read&scope=write",
            "audience=a&scopes=read",
            "audience=a&max_age=soon",
            "audience=a&max_age=-1",
            "audience=a&scope=%22",
            "audience=%ff",
            "audience=a&scope=",
            "audience=a&scope",
            "audience=a&scope=read&path",
        ] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }
}
