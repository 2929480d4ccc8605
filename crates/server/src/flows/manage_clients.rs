//! What an operator does to clients. Each change moves the client's revision on, so that whatever
//! was decided with the old record fails at the store's gate.

mod body;
mod check;
mod uris;

pub use body::{ClientFields, LifetimeFields, Maybe, NewClient};
pub use check::{Checked, MAX_CLIENT_NAME, MAX_SCOPE_BYTES, change as check_change, new_client as check_new};
pub(in crate::flows) use uris::audience as check_audience;
pub use uris::{MAX_AUDIENCE_BYTES, MAX_AUDIENCES, MAX_REDIRECT_URI, MAX_REDIRECT_URIS};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{ClientId, ClientSecret};

use super::clients::hash_secret;
use super::revocation::{self, Ending};
use super::{FlowResult, Reason, Refusal, Target, records};
use crate::app::App;
use crate::store::{Added, ClientSettings, Page};
pub use crate::store::{
    Client, ClientFilter, ClientKind, LifetimeSettings, Rotation, SecretHash, TokenFormat,
};
use crate::time::Timestamp;

/// How often a change is tried anew when the record changes meanwhile.
const MAX_ROUNDS: usize = 4;
/// What each client secret begins with, for scanners of leaked secrets.
const SECRET_PREFIX: &str = "cs_";

/// A client that was added.
#[derive(Debug, Clone)]
pub struct AddedClient {
    /// The record.
    pub client: Client,
    /// The secret of a confidential client: shown this once.
    pub secret: Option<ClientSecret>,
    /// What could be better.
    pub warnings: Vec<String>,
}

/// A new secret.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// The secret: shown this once.
    pub secret: ClientSecret,
    /// Until when the one before works as well; `None` when it does not.
    pub old_secret_works_until: Option<Timestamp>,
}

/// Adds a client.
///
/// # Errors
/// Complaints, an id that is taken, the store's silence.
pub async fn add(app: &App, request: NewClient, now: Timestamp) -> FlowResult<AddedClient> {
    let (id, checked) = check::new_client(request, &app.policy)?;
    let mut client = Client {
        id,
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: checked.tenant,
        created_at: now,
        settings: checked.settings,
    };
    let secret = (!client.settings.public).then(random_secret);
    client.settings.secrets = secret.iter().map(|secret| stored(secret, now)).collect();
    match app.store.add_client(&client).await? {
        Added::Exists => Err(Refusal::conflict("a client of that id exists already").into()),
        Added::Yes => {
            tell(app).await;
            records::note(app, None, Some(&client.id), "the client was added", now).await;
            // The store decides what a client of an id that was in use before begins with.
            let client = app.store.client(&client.id).await?.unwrap_or(client);
            let mut warnings = checked.warnings;
            warnings.extend(about_keys(app, &client.settings));
            Ok(AddedClient { client, secret, warnings })
        }
    }
}

/// A client as it is in the store.
///
/// # Errors
/// No such client, the store's silence.
pub async fn lookup(app: &App, id: &str) -> FlowResult<Client> {
    let id: ClientId = id.parse().map_err(|_| unknown())?;
    Ok(app.store.client(&id).await?.ok_or_else(unknown)?)
}

/// Clients by id.
///
/// # Errors
/// The store's silence.
pub async fn list(app: &App, filter: &ClientFilter, page: &Page<ClientId>) -> FlowResult<Vec<Client>> {
    Ok(app.store.clients(filter, page).await?)
}

/// Changes a client; answers the record after it, and warnings.
///
/// # Errors
/// Complaints, no such client, a client that keeps changing, the store's silence.
pub async fn change(
    app: &App,
    id: &str,
    fields: &ClientFields,
    now: Timestamp,
) -> FlowResult<(Client, Vec<String>)> {
    replace(app, id, "the client was changed", now, |client| {
        let checked = check::change(client, fields, &app.policy)?;
        client.tenant = checked.tenant;
        client.settings = checked.settings;
        let mut warnings = checked.warnings;
        warnings.extend(about_keys(app, &client.settings));
        Ok(warnings)
    })
    .await
}

/// Gives a confidential client a new secret; the newest of the old ones works on for a while.
///
/// # Errors
/// No such client or a public one, a client that keeps changing, the store's silence.
pub async fn rotate_secret(app: &App, id: &str, now: Timestamp) -> FlowResult<NewSecret> {
    let secret = random_secret();
    let (_, old_secret_works_until) = replace(app, id, "a new client secret was made", now, |client| {
        if client.settings.public {
            return Err(Refusal::conflict("a public client has no secret"));
        }
        Ok(succeed(
            &mut client.settings,
            stored(&secret, now),
            now,
            now.plus(app.policy.client_secret_overlap),
        ))
    })
    .await?;
    Ok(NewSecret { secret, old_secret_works_until })
}

/// Enables or disables a client, or says what disabling would end. Enabling brings nothing back.
///
/// # Errors
/// No such client, the store's silence.
pub async fn set_enabled(
    app: &App,
    id: &str,
    enabled: bool,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(Client, Ending)> {
    let client = lookup(app, id).await?;
    let target = Target::Client(client.id.clone());
    if preview {
        return Ok((client, revocation::preview(app, &target, now).await?));
    }
    let keep_until = revocation::last_expiry(app, &target, now).await?;
    let receipt = app.store.set_client_enabled(&client.id, enabled, now, keep_until).await?;
    let ending = revocation::ended(
        app,
        &target,
        Reason::ClientDisabled.as_str(),
        receipt.ok_or_else(unknown)?,
        keep_until,
    );
    tell(app).await;
    Ok((lookup(app, id).await?, ending))
}

/// Removes a client, or says what that would end.
///
/// # Errors
/// No such client, the store's silence.
pub async fn remove(app: &App, id: &str, preview: bool, now: Timestamp) -> FlowResult<(Target, Ending)> {
    let client = lookup(app, id).await?;
    let target = Target::Client(client.id.clone());
    if preview {
        let ending = revocation::preview(app, &target, now).await?;
        return Ok((target, ending));
    }
    let keep_until = revocation::last_expiry(app, &target, now).await?;
    let receipt = app.store.remove_client(&client.id, now, keep_until).await?;
    let ending = revocation::ended(
        app,
        &target,
        Reason::ClientRemoved.as_str(),
        receipt.ok_or_else(unknown)?,
        keep_until,
    );
    tell(app).await;
    Ok((target, ending))
}

/// What keeps a client whose tokens are encrypted from getting one, as far as it can be known now.
fn about_keys(app: &App, settings: &ClientSettings) -> Vec<String> {
    if settings.token_format != TokenFormat::Encrypted {
        return Vec::new();
    }
    let without_key = settings.audience.iter().filter(|audience| app.resources.key(audience).is_none());
    without_key
        .map(|audience| {
            format!(
                "audience: {audience} has no encryption key yet, and tokens for it are refused until it has: \
                 countersign resource add"
            )
        })
        .collect()
}

/// Makes a change to the record as it is, and again when it was changed by another meanwhile.
async fn replace<T>(
    app: &App,
    id: &str,
    detail: &str,
    now: Timestamp,
    mut change: impl FnMut(&mut Client) -> Result<T, Refusal>,
) -> FlowResult<(Client, T)> {
    for _ in 0..MAX_ROUNDS {
        let before = lookup(app, id).await?;
        let mut client = before.clone();
        let answer = change(&mut client)?;
        if client == before {
            return Ok((client, answer));
        }
        if app.store.replace_client(&client, before.revision).await? {
            tell(app).await;
            tracing::info!(client = %client.id, "{detail}");
            records::note(app, None, Some(&client.id), detail, now).await;
            return Ok((lookup(app, id).await?, answer));
        }
    }
    Err(Refusal::conflict("the client is being changed by others at the same time: look at it and try again")
        .into())
}

/// Puts a new secret in front and lets the newest of the others work until `until`. Returns until
/// when that one works.
fn succeed(
    settings: &mut ClientSettings,
    new: SecretHash,
    now: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    let works = |secret: &&SecretHash| secret.expires_at.is_none_or(|at| at > now);
    let old = settings.secrets.iter().find(works).cloned().filter(|_| until > now);
    let old = old
        .map(|old| SecretHash { expires_at: Some(old.expires_at.map_or(until, |at| at.min(until))), ..old });
    let works_until = old.as_ref().and_then(|old| old.expires_at);
    settings.secrets = std::iter::once(new).chain(old).collect();
    works_until
}

fn random_secret() -> ClientSecret {
    let bytes = crate::entropy::bytes::<32>();
    ClientSecret::new(format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn stored(secret: &ClientSecret, now: Timestamp) -> SecretHash {
    SecretHash { sha256: hash_secret(secret), created_at: now, expires_at: None }
}

/// The change is done; that this node could not look again is no reason to say it was not. It
/// looks by itself soon, and stale records fail at the store's gates.
async fn tell(app: &App) {
    if let Err(error) = app.look_again().await {
        tracing::warn!(%error, "the clients could not be read again after a change");
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("no client of that id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, expires_at: Option<i64>) -> SecretHash {
        SecretHash {
            sha256: name.to_owned(),
            created_at: Timestamp(0),
            expires_at: expires_at.map(Timestamp),
        }
    }

    fn after(secrets: Vec<SecretHash>, until: i64) -> (Vec<SecretHash>, Option<i64>) {
        let mut settings = ClientSettings {
            kind: crate::store::ClientKind::Web,
            public: false,
            secrets,
            redirect_uris: Vec::new(),
            scope: Default::default(),
            audience: Vec::new(),
            token_format: Default::default(),
            signing_alg: None,
            rotation: Default::default(),
            overlap_ms: 0,
            lifetimes: Default::default(),
            longest_access: 0,
            allow_long_access_tokens: false,
            introspects: Vec::new(),
            extra_claims: Vec::new(),
            sign_in: Default::default(),
        };
        let works_until = succeed(&mut settings, secret("new", None), Timestamp(10), Timestamp(until));
        (settings.secrets, works_until.map(|at| at.0))
    }

    #[test]
    fn one_old_secret_works_on_until_the_overlap_ends() {
        let new = secret("new", None);
        assert_eq!(after(vec![], 20), (vec![new.clone()], None));
        assert_eq!(after(vec![secret("a", None)], 20), (vec![new.clone(), secret("a", Some(20))], Some(20)));
        let two = vec![secret("b", None), secret("a", Some(15))];
        assert_eq!(after(two, 20), (vec![new.clone(), secret("b", Some(20))], Some(20)));
        assert_eq!(
            after(vec![secret("a", Some(15))], 20),
            (vec![new.clone(), secret("a", Some(15))], Some(15))
        );
        assert_eq!(after(vec![secret("a", Some(9))], 20), (vec![new.clone()], None), "it had expired");
        assert_eq!(after(vec![secret("a", None)], 10), (vec![new], None), "without an overlap");
    }

    #[test]
    fn secrets_have_a_prefix_and_256_bits() {
        let secret = random_secret();
        assert!(secret.expose().starts_with("cs_"));
        assert_eq!(secret.expose().len(), 3 + 43);
        assert_ne!(secret.expose(), random_secret().expose());
    }
}
