//! `countersign token verify`: the check that an API makes, and what it does not cover.

use clap::Args;
use countersign_verify::{Rejection, Verifier, VerifyingKeys, danger};
use countersign_wire::{AccessClaims, Jwk, JwkSet};
use serde_json::{Value, json};
use url::Url;

use super::decode::{Decoded, decode, from_seconds, seconds};
use super::failure::Failure;
use super::list::{self, Extent};
use super::output::{BAD, GOOD, Output, WARN, paint, safe_line};
use super::route::Route;
use super::show::member;
use super::transport::Admin;
use super::{Context, input, remote, token};

/// The arguments of `token verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The token; - or nothing reads it from standard input.
    token: Option<String>,
    /// The issuer that the token must be of, exactly.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The audience that the token must be for. Every API must check its own.
    #[arg(long)]
    audience: Option<String>,
}

/// One thing that was looked at.
struct Check {
    what: &'static str,
    outcome: Outcome,
    said: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    Bad,
    /// It was not, or could not be, looked at.
    Unchecked,
}

impl Verify {
    /// Checks, and fails when the token is not good.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let token = input::token(self.token.as_deref())?;
        if token.starts_with("rft_") || token.starts_with("oat_") {
            // Its own sentence says what the token is; the issuer need not be asked for keys.
            let rejection =
                if token.starts_with("rft_") { Rejection::RefreshToken } else { Rejection::OpaqueToken };
            return report(context, &token, None, &[bad("token", rejection.to_string())]);
        }
        let base = remote::base_url(&self.issuer, context.global.insecure_http)?;
        let keys = key_set(&self.issuer, &base, context.global.insecure_http).await?;
        let now = context.output.words.now().seconds();
        let mut checks = Vec::new();
        let verified = self.check(&token, keys, now, &mut checks);
        let claims = match verified {
            Ok(claims) => Some(claims),
            Err(rejection) => {
                checks.push(Check { what: "token", outcome: Outcome::Bad, said: rejection.to_string() });
                None
            }
        };
        if let Some(claims) = &claims {
            checks.push(revocation(context, claims).await);
        }
        report(context, &token, claims.as_ref(), &checks)
    }

    fn check(
        &self,
        token: &str,
        keys: JwkSet,
        now: u64,
        checks: &mut Vec<Check>,
    ) -> Result<AccessClaims, Rejection> {
        let claims = match &self.audience {
            Some(audience) => match Verifier::new(&self.issuer, audience, keys) {
                Ok(verifier) => verifier.verify(token, now)?,
                Err(error) => {
                    checks.push(bad("keys", error.to_string()));
                    return Err(Rejection::UnknownKey);
                }
            },
            None => match VerifyingKeys::new(&keys) {
                Ok(keys) => {
                    let claims = danger::verify_signature_only(&keys, token, &self.issuer)?;
                    times(token, &claims, now)?;
                    claims
                }
                Err(error) => {
                    checks.push(bad("keys", error.to_string()));
                    return Err(Rejection::UnknownKey);
                }
            },
        };
        checks.push(good("signature", "made by a key that the issuer publishes".to_owned()));
        checks.push(good("issuer", claims.iss.clone()));
        checks.push(good("times", format!("valid for another {}", left(claims.exp, now))));
        checks.push(match &self.audience {
            Some(audience) => good("audience", audience.clone()),
            None => {
                let named: Vec<&str> = claims.aud.iter().collect();
                Check {
                    what: "audience",
                    outcome: Outcome::Unchecked,
                    said: format!("it is for {}: name yours with --audience", named.join(" ")),
                }
            }
        });
        Ok(claims)
    }
}

/// What the verifier checks when it knows the audience, for when it does not.
fn times(token: &str, claims: &AccessClaims, now: u64) -> Result<(), Rejection> {
    if now >= claims.exp {
        return Err(Rejection::Expired);
    }
    let not_before = match decode(token) {
        Ok(Decoded::Jwt { claims, .. }) => claims.all.get("nbf").and_then(seconds),
        _ => None,
    };
    match not_before {
        Some(nbf) if nbf > now => Err(Rejection::NotYetValid),
        _ => Ok(()),
    }
}

fn left(exp: u64, now: u64) -> String {
    super::words::span(std::time::Duration::from_secs(exp.saturating_sub(now)))
}

fn good(what: &'static str, said: String) -> Check {
    Check { what, outcome: Outcome::Good, said }
}

fn bad(what: &'static str, said: String) -> Check {
    Check { what, outcome: Outcome::Bad, said }
}

/// The keys that an issuer publishes, by way of its metadata (RFC 8414 section 3).
async fn key_set(issuer: &str, base: &Url, insecure_http: bool) -> Result<JwkSet, Failure> {
    let mut metadata = base.clone();
    // Section 3.1: between the host and the path, if there is one.
    let path = base.path().trim_end_matches('/');
    metadata.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    let document = match document(&metadata).await {
        Ok(document) => document,
        Err(first) => {
            // OpenID Connect Discovery 1.0 section 4: after the path.
            metadata.set_path(&format!("{path}/.well-known/openid-configuration"));
            document_or(&metadata, first).await?
        }
    };
    // Section 3.3: the issuer is compared exactly, or the keys would be someone else's.
    let named = member(&document, "issuer");
    if named != issuer {
        return Err(Failure::refused(format!(
            "the metadata at {metadata} is that of the issuer {named:?}, not {issuer:?}: give the issuer exactly as it is there"
        )));
    }
    let jwks_uri = member(&document, "jwks_uri");
    let jwks = self::document(&remote::base_url(&jwks_uri, insecure_http)?).await?;
    // A key of a kind that we do not know must not hide the others.
    let keys: Vec<Jwk> = jwks
        .get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|key| serde_json::from_value(key.clone()).ok())
        .collect();
    if keys.is_empty() {
        return Err(Failure::refused(format!("{jwks_uri} publishes no key that can check an access token")));
    }
    Ok(JwkSet { keys })
}

async fn document_or(url: &Url, first: Failure) -> Result<Value, Failure> {
    document(url).await.map_err(|_| first)
}

async fn document(url: &Url) -> Result<Value, Failure> {
    let response = remote::send(url, remote::get(url)?).await?;
    let status = response.status();
    let body = remote::collect(response.into_body()).await?;
    if !status.is_success() {
        return Err(Failure::refused(format!("{url} answers {status}: is this the issuer?")));
    }
    serde_json::from_slice(&body)
        .map_err(|_| Failure::refused(format!("{url} answers no JSON: is this the issuer?")))
}

/// Asks the server of this data directory, if it is the issuer; nobody else can be asked without
/// a client's credentials (RFC 7662 section 2.1).
async fn revocation(context: &Context, claims: &AccessClaims) -> Check {
    let unchecked =
        |said: &str| Check { what: "revocation", outcome: Outcome::Unchecked, said: said.to_owned() };
    let admin = match context.global.settings() {
        Ok(settings) if context.global.server.is_none() => Admin::running(&settings).await.ok().flatten(),
        _ => None,
    };
    let Some(admin) = admin else {
        return unchecked("not asked: introspection needs a client's credentials, and no server runs here");
    };
    match ask(&admin, claims).await {
        Ok(check) => check,
        Err(Failure::Refused(said) | Failure::Usage(said)) => {
            unchecked(&format!("the server here did not say: {said}"))
        }
        Err(Failure::ClosedPipe | Failure::Said) => unchecked("the server here did not say"),
    }
}

async fn ask(admin: &Admin, claims: &AccessClaims) -> Result<Check, Failure> {
    let status = admin.get(&Route::to(&["status"])).await?;
    if member(&status, "issuer") != claims.iss {
        return Ok(Check {
            what: "revocation",
            outcome: Outcome::Unchecked,
            said: "not asked: the server here is another issuer".to_owned(),
        });
    }
    if let Some(sid) = claims.sid {
        let told = admin.get(&Route::to(&["sessions", &sid.to_string(), "explain"])).await?;
        if member(&told, "status") != "live" {
            return Ok(bad("revocation", member(&told, "verdict")));
        }
    }
    let route = Route::to(&["revocations"]).with("after", claims.rev);
    let (entries, _) = list::fetch(admin, &route, Extent::ALL).await?;
    for entry in &entries {
        let subject = member(entry, "subject");
        let ended = match member(entry, "target").as_str() {
            "token" => subject == claims.jti,
            "client" => subject == claims.client_id.as_str(),
            "tenant" => claims.tenant.as_deref() == Some(subject.as_str()),
            "user" => {
                let stamp = entry.get("stamp").and_then(Value::as_u64);
                subject == claims.sub && stamp.zip(claims.stv).is_none_or(|(stamp, stv)| stv < stamp)
            }
            "session" => claims.sid.is_some_and(|sid| sid.to_string() == subject),
            "everything" => true,
            _ => false,
        };
        if ended {
            return Ok(bad("revocation", format!("it was revoked: {}", member(entry, "reason"))));
        }
    }
    Ok(good("revocation", "the server here says that it is not revoked".to_owned()))
}

fn report(
    context: &mut Context,
    token: &str,
    claims: Option<&AccessClaims>,
    checks: &[Check],
) -> Result<(), Failure> {
    let output = &mut context.output;
    let valid = checks.iter().all(|check| check.outcome != Outcome::Bad);
    let word = |outcome| match outcome {
        Outcome::Good => "ok",
        Outcome::Bad => "bad",
        Outcome::Unchecked => "not checked",
    };
    if output.json {
        let checks: Vec<Value> = checks
            .iter()
            .map(|c| json!({ "check": c.what, "outcome": word(c.outcome), "detail": c.said }))
            .collect();
        output.json(&json!({ "valid": valid, "claims": claims, "checks": checks }))?;
        return if valid { Ok(()) } else { Err(Failure::Said) };
    }
    for check in checks {
        let style = match check.outcome {
            Outcome::Good => GOOD,
            Outcome::Bad => BAD,
            Outcome::Unchecked => WARN,
        };
        let verdict = paint(style, &format!("{:11}", word(check.outcome)));
        output.line(&format!("{verdict}  {:10}  {}", check.what, safe_line(&check.said)))?;
    }
    if !valid {
        let reason = checks.iter().find(|c| c.outcome == Outcome::Bad).map(|c| c.said.clone());
        return Err(Failure::refused(format!("the token is not good: {}", reason.unwrap_or_default())));
    }
    print_claims(output, token)
}

fn print_claims(output: &mut Output, token: &str) -> Result<(), Failure> {
    let Ok(Decoded::Jwt { claims, .. }) = decode(token) else { return Ok(()) };
    output.line("")?;
    if let Some(exp) = claims.all.get("exp").and_then(seconds) {
        output.heading(&format!("Good until {}", output.words.time(from_seconds(exp))))?;
    }
    token::members(output, &claims.all)
}
