//! Passkeys: Web Authentication level 3, by way of a library that is kept by others. What is
//! decided here is what to ask for, and what not to tell.
//!
//! A user must be verified by the authenticator in every ceremony, so that a passkey alone is two
//! factors. A passkey that names its user by itself is preferred, not required: a security key
//! without room for one is still good beside a password. No attestation is asked for: which make
//! somebody's authenticator is of is not our business.
//!
//! What is kept between the two halves of a ceremony, and of a passkey for ever, is JSON. The first
//! must stay on the server and be used once: it has the challenge. The second has a public key and
//! no secret.

use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, CredentialID, DiscoverableAuthentication, DiscoverableKey, Passkey,
    PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn,
    WebauthnBuilder, WebauthnError,
};

/// The relying party: the issuer's host, reached at the issuer's origin.
pub struct Passkeys(Webauthn);

/// Why a passkey was refused. For the log: a person is told that it did not work, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// The issuer is not a URL.
    #[error("the issuer is not a URL that passkeys can be bound to")]
    Issuer,
    /// What came from the browser is not what a browser sends.
    #[error("the answer is not of the form that browsers send")]
    Malformed,
    /// The state of the ceremony, or all of the user's passkeys, cannot be read or written.
    #[error("the state of the ceremony or the user's passkeys cannot be used")]
    State,
    /// The passkey is none of the user's.
    #[error("the passkey is not one of the user's")]
    Unknown,
    /// The user has one of this authenticator, or its key is of a kind that was not asked for: the
    /// library does not tell the two apart.
    #[error("the authenticator is registered already, or made a key that was not asked for")]
    Registered,
    /// It was made for another site.
    #[error("the answer is for another origin")]
    Origin,
    /// It answers another challenge, or is of another kind.
    #[error("the answer is to another challenge")]
    Challenge,
    /// The authenticator did not verify its user.
    #[error("the user was not verified by the authenticator")]
    Unverified,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
    /// The authenticator's counter went back: there may be two of it.
    #[error("the authenticator's counter went back: it may have been copied")]
    Copied,
    /// Something else that the standard wants is missing or wrong.
    #[error("the answer does not keep to the standard")]
    Other,
}

/// A passkey that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Which of the user's.
    pub index: usize,
    /// What is to be kept of it from now on, if that changed.
    pub updated: Option<String>,
    /// Whether the authenticator verified its user: by a PIN, a finger or a face.
    pub user_verified: bool,
}

impl Passkeys {
    /// The passkeys of an issuer; `None` when browsers make none for it: its host is an address
    /// and not a name, or it is plain http and not on this machine (section 5.1.3, and
    /// secure contexts).
    ///
    /// The issuer's host is in each passkey: under another host all are lost.
    ///
    /// # Errors
    /// When the issuer is not a URL.
    pub fn new(issuer: &str, name: &str) -> Result<Option<Self>, PasskeyError> {
        let issuer = Url::parse(issuer).map_err(|_| PasskeyError::Issuer)?;
        let Some(host) = issuer.domain() else { return Ok(None) };
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if issuer.scheme() != "https" && !(issuer.scheme() == "http" && is_local) {
            return Ok(None);
        }
        let origin = Url::parse(&issuer.origin().ascii_serialization()).map_err(|_| PasskeyError::Issuer)?;
        let webauthn = WebauthnBuilder::new(host, &origin).and_then(|builder| builder.rp_name(name).build());
        Ok(Some(Self(webauthn.map_err(|_| PasskeyError::Issuer)?)))
    }

    /// Begins to register a passkey: the options for the browser, and the state to keep. An
    /// authenticator that holds one of those that the user has makes no other.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn start_registration(
        &self,
        user: Uuid,
        username: &str,
        stored: &[String],
    ) -> Result<(String, String), PasskeyError> {
        let known = numbered(stored).map(|(_, passkey)| passkey.cred_id().clone()).collect();
        let (mut options, state) =
            self.0.start_passkey_registration(user, username, username, Some(known)).map_err(reason)?;
        if let Some(selection) = &mut options.public_key.authenticator_selection {
            // The library discourages it, for keys that have little room; without it nobody could
            // sign in without a username.
            selection.resident_key = serde_json::from_value("preferred".into()).ok();
        }
        Ok((to_json(&options.public_key)?, to_json(&state)?))
    }

    /// Finishes registering: what to store. That nobody else has a passkey of the same id need not
    /// be checked: a passkey is only ever looked for among those of one user.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn finish_registration(&self, answer: &str, state: &str) -> Result<String, PasskeyError> {
        let state: PasskeyRegistration = read(state).ok_or(PasskeyError::State)?;
        let answer: RegisterPublicKeyCredential = read(answer).ok_or(PasskeyError::Malformed)?;
        same_origin(&answer.response.client_data_json)?;
        to_json(&self.0.finish_passkey_registration(&answer, &state).map_err(reason)?)
    }

    /// Begins to authenticate a user who is known: the options for the browser, which name the
    /// user's passkeys, and the state to keep.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn start_authentication(&self, stored: &[String]) -> Result<(String, String), PasskeyError> {
        let passkeys: Vec<Passkey> = numbered(stored).map(|(_, passkey)| passkey).collect();
        if passkeys.is_empty() {
            return Err(PasskeyError::State);
        }
        let (options, state) = self.0.start_passkey_authentication(&passkeys).map_err(reason)?;
        Ok((to_json(&options.public_key)?, to_json(&state)?))
    }

    /// Finishes authenticating a user who was known, by the passkeys that the user has now: one
    /// that was removed in between is none.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn finish_authentication(
        &self,
        answer: &str,
        state: &str,
        stored: &[String],
    ) -> Result<Used, PasskeyError> {
        let state: PasskeyAuthentication = read(state).ok_or(PasskeyError::State)?;
        let answer: PublicKeyCredential = read(answer).ok_or(PasskeyError::Malformed)?;
        same_origin(&answer.response.client_data_json)?;
        let (index, passkey) = find(stored, answer.get_credential_id()).ok_or(PasskeyError::Unknown)?;
        let result = self.0.finish_passkey_authentication(&answer, &state).map_err(reason)?;
        used(index, passkey, &result)
    }

    /// Begins to authenticate somebody: the options for the browser, which name no passkeys, and
    /// the state to keep.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn start_discoverable(&self) -> Result<(String, String), PasskeyError> {
        let (options, state) = self.0.start_discoverable_authentication().map_err(reason)?;
        Ok((to_json(&options.public_key)?, to_json(&state)?))
    }

    /// Whose passkey an answer says that it is. Nothing is proved yet: the user's passkeys go to
    /// [`Self::finish_discoverable`].
    pub fn identify(&self, answer: &str) -> Option<Uuid> {
        let answer: PublicKeyCredential = read(answer)?;
        Uuid::from_slice(answer.get_user_unique_id()?).ok()
    }

    /// Finishes authenticating the user whom [`Self::identify`] named, by the passkeys of that user.
    ///
    /// # Errors
    /// See [`PasskeyError`].
    pub fn finish_discoverable(
        &self,
        answer: &str,
        state: &str,
        stored: &[String],
    ) -> Result<Used, PasskeyError> {
        let state: DiscoverableAuthentication = read(state).ok_or(PasskeyError::State)?;
        let answer: PublicKeyCredential = read(answer).ok_or(PasskeyError::Malformed)?;
        same_origin(&answer.response.client_data_json)?;
        let (index, passkey) = find(stored, answer.get_credential_id()).ok_or(PasskeyError::Unknown)?;
        let key = DiscoverableKey::from(&passkey);
        let result = self.0.finish_discoverable_authentication_v2(&answer, state, key).map_err(reason)?;
        used(index, passkey, &result)
    }
}

/// Our pages are in nobody's frame, so no answer comes from one (`crossOrigin` and
/// `topOrigin` in sections 7.1 and 7.2). The library looks at the first of them when a passkey is
/// registered, and at none when it is used.
fn same_origin(client_data: &[u8]) -> Result<(), PasskeyError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Framed {
        cross_origin: Option<bool>,
        top_origin: Option<serde::de::IgnoredAny>,
    }
    let framed: Framed = serde_json::from_slice(client_data).map_err(|_| PasskeyError::Malformed)?;
    match framed.cross_origin == Some(true) || framed.top_origin.is_some() {
        true => Err(PasskeyError::Origin),
        false => Ok(()),
    }
}

fn used(index: usize, mut passkey: Passkey, result: &AuthenticationResult) -> Result<Used, PasskeyError> {
    let updated = match passkey.update_credential(result).ok_or(PasskeyError::Unknown)? {
        true => Some(to_json(&passkey)?),
        false => None,
    };
    Ok(Used { index, updated, user_verified: result.user_verified() })
}

/// The user's passkeys. One that cannot be read keeps none of the others from working.
fn numbered(stored: &[String]) -> impl Iterator<Item = (usize, Passkey)> {
    stored.iter().enumerate().filter_map(|(index, text)| Some((index, read(text)?)))
}

fn find(stored: &[String], id: &[u8]) -> Option<(usize, Passkey)> {
    numbered(stored).find(|(_, passkey)| CredentialID::as_slice(passkey.cred_id()) == id)
}

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn to_json(value: &impl serde::Serialize) -> Result<String, PasskeyError> {
    serde_json::to_string(value).map_err(|_| PasskeyError::State)
}

/// The library's words can have parts of the answer in them; ours do not.
fn reason(error: WebauthnError) -> PasskeyError {
    match error {
        WebauthnError::InvalidRPOrigin
        | WebauthnError::InvalidRPIDHash
        | WebauthnError::CredentialCrossOrigin => PasskeyError::Origin,
        WebauthnError::MismatchedChallenge | WebauthnError::InvalidClientDataType => PasskeyError::Challenge,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => PasskeyError::Unverified,
        WebauthnError::CredentialNotFound => PasskeyError::Unknown,
        WebauthnError::CredentialExcludedFromRequest | WebauthnError::CredentialAlteredAlgFromRequest => {
            PasskeyError::Registered
        }
        WebauthnError::CredentialPossibleCompromise => PasskeyError::Copied,
        WebauthnError::AuthenticationFailure => PasskeyError::Signature,
        _ => PasskeyError::Other,
    }
}

#[cfg(test)]
mod tests;
