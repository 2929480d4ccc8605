//! What an operator may say of how a client has its users signed in.

use super::body::ClientFields;
use super::uris::{self, MAX_REDIRECT_URIS};
use crate::flows::complaints::{Complaints, quote};
use crate::store::{ClientKind, ClientSettings, SignInSettings};

/// Longest name of a client, in characters.
pub const MAX_CLIENT_NAME: usize = 64;

/// Puts the fields into the settings and judges them.
pub(super) fn judge(
    settings: &mut ClientSettings,
    fields: &ClientFields,
    complaints: &mut Complaints,
    warnings: &mut Vec<String>,
) {
    let sign_in = &mut settings.sign_in;
    if let Some(name) = &fields.name {
        sign_in.name.clone_from(name);
        let fits = |name: &String| {
            (1..=MAX_CLIENT_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        };
        if !name.as_ref().is_none_or(fits) {
            complaints.add(
                "name",
                format_args!("must be 1 to {MAX_CLIENT_NAME} characters, none of them control characters"),
            );
        }
    }
    if let Some(first_party) = fields.first_party {
        sign_in.first_party = first_party.unwrap_or_default();
    }
    if let Some(allow) = fields.allow_missing_pkce {
        sign_in.allow_missing_pkce = allow.unwrap_or_default();
    }
    if let Some(require) = fields.require_pushed_requests {
        sign_in.require_pushed_requests = require.unwrap_or_default();
    }
    if let Some(algorithm) = &fields.id_token_alg {
        sign_in.id_token_alg =
            algorithm.as_ref().and_then(|text| complaints.keep("id_token_alg", text.parse()));
    }
    if let Some(places) = &fields.post_logout_redirect_uris {
        sign_in.post_logout_redirect_uris = places.clone().unwrap_or_default();
        judge_places(&sign_in.post_logout_redirect_uris, complaints, warnings);
    }
    if let Some(uri) = &fields.backchannel_logout_uri {
        sign_in.backchannel_logout_uri.clone_from(uri);
        if let Some(Err(problem)) = uri.as_ref().map(|uri| uris::backchannel_logout_uri(uri)) {
            complaints.add("backchannel_logout_uri", problem);
        }
    }
    judge_whole(settings, complaints, warnings);
}

fn judge_places(places: &[String], complaints: &mut Complaints, warnings: &mut Vec<String>) {
    if places.len() > MAX_REDIRECT_URIS {
        complaints.add("post_logout_redirect_uris", format_args!("the most is {MAX_REDIRECT_URIS}"));
    }
    for (i, uri) in places.iter().enumerate().take(MAX_REDIRECT_URIS) {
        let member = format!("post_logout_redirect_uris[{i}]");
        match uris::redirect_uri(uri) {
            Ok(Some(warning)) => warnings.push(format!("{member}: {warning}")),
            Ok(None) => {}
            Err(problem) => complaints.add(&member, format_args!("{} {problem}", quote(uri))),
        }
    }
}

fn judge_whole(settings: &ClientSettings, complaints: &mut Complaints, warnings: &mut Vec<String>) {
    let ClientSettings { kind, public, sign_in, .. } = settings;
    if *public && sign_in.allow_missing_pkce {
        // OAuth 2.1 section 7.5.1.
        complaints.add("allow_missing_pkce", "a public client always sends PKCE");
    }
    if !*public && sign_in.allow_missing_pkce {
        warnings.push(
            "allow_missing_pkce: a code that is stolen on its way can be used by whoever tricks the client; have it \
             send PKCE as soon as it can"
                .to_owned(),
        );
    }
    let SignInSettings { post_logout_redirect_uris, backchannel_logout_uri, .. } = sign_in;
    if *kind == ClientKind::Service
        && (!post_logout_redirect_uris.is_empty() || backchannel_logout_uri.is_some())
    {
        complaints.add("kind", "a service client has no users to sign out: leave the logout URIs out");
    }
}
