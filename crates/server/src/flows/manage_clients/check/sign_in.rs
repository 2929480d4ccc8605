//! How a client has its users signed in.

use super::judge_redirect_uris;
use crate::flows::complaints::{Complaints, is_invisible, quote};
use crate::flows::manage_clients::body::ClientFields;
use crate::flows::manage_clients::uris;
use crate::store::{ClientKind, ClientSettings, SignInSettings};

/// Longest name of a client, in characters.
pub const MAX_CLIENT_NAME: usize = 64;

/// Takes over what is said, and judges what can be judged by itself.
pub(super) fn judge(
    settings: &mut SignInSettings,
    fields: &ClientFields,
    complaints: &mut Complaints,
    warnings: &mut Vec<String>,
) {
    if let Some(name) = &fields.name {
        settings.name = name.as_ref().map(|name| name.trim().to_owned());
        if let Some(name) = &settings.name {
            complaints.keep("name", self::name(name));
        }
    }
    if let Some(first_party) = fields.first_party {
        settings.first_party = first_party.unwrap_or_default();
    }
    if let Some(allow) = fields.allow_missing_pkce {
        settings.allow_missing_pkce = allow.unwrap_or_default();
    }
    if let Some(allow) = fields.allow_missing_nonce {
        settings.allow_missing_nonce = allow.unwrap_or_default();
    }
    if let Some(require) = fields.require_pushed_requests {
        settings.require_pushed_requests = require.unwrap_or_default();
    }
    if let Some(algorithm) = &fields.id_token_alg {
        settings.id_token_alg =
            algorithm.as_ref().and_then(|text| complaints.keep("id_token_alg", text.parse()));
    }
    if let Some(uris) = &fields.post_logout_redirect_uris {
        settings.post_logout_redirect_uris = uris.clone().unwrap_or_default();
        let uris = &settings.post_logout_redirect_uris;
        judge_redirect_uris("post_logout_redirect_uris", uris, complaints, warnings);
    }
    if let Some(uri) = &fields.backchannel_logout_uri {
        settings.backchannel_logout_uri.clone_from(uri);
        if let Some(uri) = uri
            && let Err(problem) = uris::backchannel_logout_uri(uri)
        {
            complaints.add("backchannel_logout_uri", format_args!("{} {problem}", quote(uri)));
        }
    }
}

/// What depends on what the client is.
pub(super) fn judge_whole(settings: &ClientSettings, complaints: &mut Complaints) {
    let SignInSettings { post_logout_redirect_uris, backchannel_logout_uri, .. } = &settings.sign_in;
    if settings.public && settings.sign_in.allow_missing_pkce {
        // OAuth 2.1 section 7.5.1: a nonce protects a client only whose code nobody else can redeem.
        complaints.add("allow_missing_pkce", "is for confidential clients only: a public client sends PKCE");
    }
    if settings.sign_in.allow_missing_nonce && !settings.sign_in.allow_missing_pkce {
        complaints.add(
            "allow_missing_nonce",
            "is for clients with allow_missing_pkce: with PKCE the nonce is optional",
        );
    }
    if settings.kind == ClientKind::Service && !post_logout_redirect_uris.is_empty() {
        complaints
            .add("post_logout_redirect_uris", "a service client has no users to redirect: leave them out");
    }
    if settings.kind == ClientKind::Service && backchannel_logout_uri.is_some() {
        complaints
            .add("backchannel_logout_uri", "a service client has no sessions that could end: leave it out");
    }
}

/// A name stands on the pages on which people decide, so it must be what it looks like.
fn name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.chars().count() > MAX_CLIENT_NAME {
        return Err("must be 1 to 64 characters");
    }
    if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err("must not have control or invisible characters");
    }
    Ok(())
}
