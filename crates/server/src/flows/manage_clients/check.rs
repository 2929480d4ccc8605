//! What an operator may say of a client: pure, with all complaints at once.

mod sign_in;

pub use sign_in::MAX_CLIENT_NAME;

use std::time::Duration;

use clap::ValueEnum;
use countersign_wire::{ClientId, REVOCATIONS_SCOPE, Scope};

use super::body::{ClientFields, LifetimeFields, Maybe, NewClient};
use super::uris::{self, MAX_AUDIENCE_BYTES, MAX_AUDIENCES, MAX_REDIRECT_URIS};
use crate::flows::complaints::{Complaints, quote, tenant};
use crate::flows::id_tokens::OPENID;
use crate::flows::policy::{MAX_ACCESS, MAX_OVERLAP, Policy};
use crate::store::{
    Client, ClientKind, ClientSettings, LifetimeSettings, Rotation, SignInSettings, TokenFormat,
};

/// Most bytes of a client's scope.
pub const MAX_SCOPE_BYTES: usize = 1024;
/// The personal data that may stand in access tokens.
const EXTRA_CLAIMS: [&str; 2] = ["username", "email"];
/// Words in the names of claims that must never stand in a token, with the reason.
const SENSITIVE: [&str; 14] = [
    "password", "passwd", "secret", "ssn", "social", "phone", "birth", "address", "card", "iban", "tax",
    "passport", "gender", "health",
];

/// A client as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its tenant.
    pub tenant: Option<String>,
    /// Its settings.
    pub settings: ClientSettings,
    /// What is permitted and could be better.
    pub warnings: Vec<String>,
}

/// Checks a client to add. Its secret is not made yet.
pub fn new_client(request: NewClient, policy: &Policy) -> Result<(ClientId, Checked), Complaints> {
    let (id, kind, public, fields) = request.split();
    let mut complaints = Complaints::default();
    let id = complaints.keep("id", id.parse::<ClientId>());
    let Some(kind) = choice::<ClientKind>("kind", &kind, &mut complaints) else {
        return Err(complaints); // Nothing else can be judged without it.
    };
    let public = public.unwrap_or(matches!(kind, ClientKind::Spa | ClientKind::Native | ClientKind::Cli));
    if public && kind == ClientKind::Service {
        // RFC 6749 section 4.4: client credentials are for confidential clients.
        complaints.add("public", "a service client acts for itself, so it must keep a secret");
    }
    let checked = judge(None, defaults(kind, public, policy), &fields, policy, &mut complaints);
    match id {
        Some(id) => complaints.or((id, checked)),
        None => Err(complaints),
    }
}

/// Checks a change to a client.
pub fn change(client: &Client, fields: &ClientFields, policy: &Policy) -> Result<Checked, Complaints> {
    let mut complaints = Complaints::default();
    let mut checked = judge(client.tenant.clone(), client.settings.clone(), fields, policy, &mut complaints);
    if checked.tenant != client.tenant && checked.tenant.is_some() {
        checked.warnings.push(
            "tenant: sessions of users of other tenants go on until they end; revoke the client to end them now"
                .to_owned(),
        );
    }
    // Entries of the revocation log are kept as long as any access token ever could live.
    checked.settings.longest_access = checked.settings.longest_access.max(client.settings.longest_access);
    complaints.or(checked)
}

fn defaults(kind: ClientKind, public: bool, policy: &Policy) -> ClientSettings {
    ClientSettings {
        kind,
        public,
        secrets: Vec::new(),
        redirect_uris: Vec::new(),
        scope: Scope::default(),
        audience: Vec::new(),
        token_format: TokenFormat::default(),
        signing_alg: None,
        rotation: Rotation::default(),
        overlap_ms: millis(policy.overlap),
        lifetimes: LifetimeSettings::default(),
        longest_access: 0,
        allow_long_access_tokens: false,
        introspects: Vec::new(),
        extra_claims: Vec::new(),
        sign_in: SignInSettings::default(),
    }
}

/// Puts the fields into the settings and judges the whole.
fn judge(
    tenant_before: Option<String>,
    mut settings: ClientSettings,
    fields: &ClientFields,
    policy: &Policy,
    complaints: &mut Complaints,
) -> Checked {
    let mut warnings = Vec::new();
    if let Some(uris) = &fields.redirect_uris {
        settings.redirect_uris = uris.clone().unwrap_or_default();
        judge_redirect_uris("redirect_uris", &settings.redirect_uris, complaints, &mut warnings);
    }
    if let Some(scope) = &fields.scope {
        settings.scope = judge_scope(scope.as_deref().unwrap_or_default(), complaints);
    }
    if let Some(audience) = &fields.audience {
        settings.audience = audience.clone().unwrap_or_default();
        judge_audiences("audience", &settings.audience, complaints);
    }
    if let Some(format) = &fields.token_format {
        settings.token_format = or_default("token_format", format, complaints);
    }
    if let Some(algorithm) = &fields.signing_alg {
        settings.signing_alg =
            algorithm.as_ref().and_then(|text| complaints.keep("signing_alg", text.parse()));
    }
    let mut tenant_after = tenant_before;
    if let Some(name) = &fields.tenant {
        if let Some(name) = name {
            complaints.keep("tenant", tenant(name));
        }
        tenant_after.clone_from(name);
    }
    if let Some(rotation) = &fields.rotation {
        settings.rotation = or_default("rotation", rotation, complaints);
    }
    if let Some(seconds) = fields.overlap_seconds {
        settings.overlap_ms = seconds.map_or(millis(policy.overlap), |s| s.saturating_mul(1000));
    }
    if let Some(lifetimes) = &fields.lifetimes {
        settings.lifetimes = match lifetimes {
            Some(lifetimes) => merge(settings.lifetimes, lifetimes),
            None => LifetimeSettings::default(),
        };
    }
    if let Some(allow) = fields.allow_long_access_tokens {
        settings.allow_long_access_tokens = allow.unwrap_or_default();
    }
    if let Some(introspects) = &fields.introspects {
        settings.introspects = introspects.clone().unwrap_or_default();
        judge_audiences("introspects", &settings.introspects, complaints);
    }
    if let Some(claims) = &fields.extra_claims {
        settings.extra_claims = claims.clone().unwrap_or_default();
        judge_extra_claims(&settings.extra_claims, complaints);
    }
    sign_in::judge(&mut settings.sign_in, fields, complaints, &mut warnings);
    judge_whole(&mut settings, policy, complaints, &mut warnings);
    Checked { tenant: tenant_after, settings, warnings }
}

/// What depends on more than one member, so it is judged after each change.
fn judge_whole(
    settings: &mut ClientSettings,
    policy: &Policy,
    complaints: &mut Complaints,
    warnings: &mut Vec<String>,
) {
    let mut warn = |member: &str, text: &str| warnings.push(format!("{member}: {text}"));
    let service = settings.kind == ClientKind::Service;
    if service && !settings.redirect_uris.is_empty() {
        complaints.add("redirect_uris", "a service client has no users to redirect: leave them out");
    }
    sign_in::judge_whole(settings, complaints);
    if service && sessions_only(&settings.lifetimes) {
        complaints.add("lifetimes", "a service client has no refresh tokens: only access can be set");
    }
    if settings.public && settings.rotation == Rotation::Reuse {
        // RFC 9700 section 2.2.2: a public client's refresh tokens are rotated or sender-constrained.
        complaints.add("rotation", "reuse is for confidential clients only: use rotate or rotate-strict");
    }
    if Duration::from_millis(settings.overlap_ms) > MAX_OVERLAP {
        complaints.add("overlap_seconds", format_args!("the most is {}", MAX_OVERLAP.as_secs()));
    }
    if settings.public && !settings.introspects.is_empty() {
        // RFC 7662 section 2.1.
        complaints.add("introspects", "a public client cannot authenticate, so it cannot introspect");
    }
    let lifetimes = policy.lifetimes.of(settings.kind).with(&settings.lifetimes);
    for problem in lifetimes.complaints(settings.allow_long_access_tokens) {
        complaints.add("lifetimes", problem);
    }
    settings.longest_access = settings.longest_access.max(lifetimes.access.as_secs());

    for claim in &settings.extra_claims {
        let text = format!(
            "{claim} is personal data, and everyone who holds a token can read it there; prefer token_format encrypted \
             or opaque, or introspection"
        );
        if settings.token_format == TokenFormat::Jwt {
            warn("extra_claims", &text);
        }
    }
    if settings.kind == ClientKind::Spa && !settings.public {
        warn("public", "what runs in a browser cannot keep a secret (RFC 6749 section 2.1)");
    }
    if settings.token_format == TokenFormat::Opaque && settings.signing_alg.is_some() {
        warn("signing_alg", "opaque access tokens are not signed, so it has no effect");
    }
    if settings.token_format == TokenFormat::Encrypted {
        match settings.audience.len() {
            0 => warn(
                "audience",
                "an encrypted access token is for one API: without an audience there is none",
            ),
            1 => {}
            _ => warn(
                "audience",
                "an encrypted access token is for one API: the client must name it in resource each time",
            ),
        }
        for scope in [OPENID, REVOCATIONS_SCOPE].into_iter().filter(|scope| settings.scope.contains(scope)) {
            let text = format!(
                "with an encrypted access token {scope} opens neither userinfo nor the feed: it is for one API only"
            );
            warn("scope", &text);
        }
    }
    if lifetimes.access > MAX_ACCESS {
        warn(
            "lifetimes",
            "an API that checks tokens without the revocation feed accepts a stolen access token for more than an hour",
        );
    }
}

fn judge_redirect_uris(
    member: &str,
    uris: &[String],
    complaints: &mut Complaints,
    warnings: &mut Vec<String>,
) {
    if uris.len() > MAX_REDIRECT_URIS {
        complaints.add(member, format_args!("the most is {MAX_REDIRECT_URIS}"));
    }
    for (i, uri) in uris.iter().enumerate().take(MAX_REDIRECT_URIS) {
        let member = format!("{member}[{i}]");
        match uris::redirect_uri(uri) {
            Ok(Some(warning)) => warnings.push(format!("{member}: {warning}")),
            Ok(None) => {}
            Err(problem) => complaints.add(&member, format_args!("{} {problem}", quote(uri))),
        }
        if uris.iter().take(i).any(|earlier| earlier == uri) {
            complaints.add(&member, "is there twice");
        }
    }
}

fn judge_scope(text: &str, complaints: &mut Complaints) -> Scope {
    let scope: Scope = complaints.keep("scope", text.parse()).unwrap_or_default();
    if scope.to_string().len() > MAX_SCOPE_BYTES {
        complaints.add("scope", format_args!("the most is {MAX_SCOPE_BYTES} bytes"));
    }
    scope
}

fn judge_audiences(member: &str, audiences: &[String], complaints: &mut Complaints) {
    if audiences.len() > MAX_AUDIENCES {
        complaints.add(member, format_args!("the most is {MAX_AUDIENCES}"));
    }
    if audiences.iter().map(String::len).sum::<usize>() > MAX_AUDIENCE_BYTES {
        complaints.add(member, format_args!("the most is {MAX_AUDIENCE_BYTES} bytes together"));
    }
    for (i, audience) in audiences.iter().enumerate().take(MAX_AUDIENCES) {
        let member = format!("{member}[{i}]");
        if let Err(problem) = uris::audience(audience) {
            complaints.add(&member, format_args!("{} {problem}", quote(audience)));
        }
        if audiences.iter().take(i).any(|earlier| earlier == audience) {
            complaints.add(&member, "is there twice");
        }
    }
}

fn judge_extra_claims(claims: &[String], complaints: &mut Complaints) {
    for (i, claim) in claims.iter().enumerate() {
        let member = format!("extra_claims[{i}]");
        if claims.iter().take(i).any(|earlier| earlier == claim) {
            complaints.add(&member, "is there twice");
        }
        if EXTRA_CLAIMS.contains(&claim.as_str()) {
            continue;
        }
        let claim_in_lower_case = claim.to_lowercase();
        if SENSITIVE.iter().any(|word| claim_in_lower_case.contains(word)) {
            complaints.add(
                &member,
                format_args!(
                    "{} is never put into a token: a token is read by everyone who holds it, kept in logs and \
                     cannot be called back; let the API look it up by sub",
                    quote(claim)
                ),
            );
        } else {
            complaints
                .add(&member, format_args!("{} is not known: only username and email are", quote(claim)));
        }
    }
    if claims.len() > 2 * EXTRA_CLAIMS.len() {
        complaints.add("extra_claims", "too many");
    }
}

fn or_default<T: ValueEnum + Default>(member: &str, text: &Option<String>, complaints: &mut Complaints) -> T {
    text.as_ref().and_then(|text| choice(member, text, complaints)).unwrap_or_default()
}

/// One of the words of an enumeration.
fn choice<T: ValueEnum>(member: &str, text: &str, complaints: &mut Complaints) -> Option<T> {
    let found = T::from_str(text, false).ok();
    if found.is_none() {
        let words: Vec<String> = T::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        complaints.add(member, format_args!("must be one of {}, not {}", words.join(", "), quote(text)));
    }
    found
}

fn merge(before: LifetimeSettings, fields: &LifetimeFields) -> LifetimeSettings {
    let or = |field: Maybe<u64>, before| field.unwrap_or(before);
    LifetimeSettings {
        access: or(fields.access, before.access),
        idle: or(fields.idle, before.idle),
        absolute: or(fields.absolute, before.absolute),
        remember_idle: or(fields.remember_idle, before.remember_idle),
        remember_absolute: or(fields.remember_absolute, before.remember_absolute),
    }
}

fn sessions_only(lifetimes: &LifetimeSettings) -> bool {
    let LifetimeSettings { access: _, idle, absolute, remember_idle, remember_absolute } = lifetimes;
    [idle, absolute, remember_idle, remember_absolute].into_iter().any(Option::is_some)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
