//! What a string is, if it is a token of ours: opened without the store.

use std::sync::Arc;

use countersign_wire::AccessClaims;

use super::FlowResult;
use crate::app::App;
use crate::keys::{NotOurs, PresentedRefresh, RefreshTokenError};
use crate::time::Timestamp;

/// An authentic token. Whether it is live is the store's to say.
#[derive(Debug)]
pub(super) enum Token {
    /// A refresh token.
    Refresh(PresentedRefresh),
    /// An access token of either format; it may have expired.
    Access(Arc<AccessClaims>),
}

/// Opens a token; `None` for what is not ours. A key that is not known here may be one that
/// another node made just now, so the keys are read again, at most once a second.
///
/// # Errors
/// The store's silence.
pub(super) async fn open(app: &App, token: &str, now: Timestamp) -> FlowResult<Option<Token>> {
    match try_open(app, token) {
        Opened::Token(token) => Ok(Some(token)),
        Opened::Foreign => Ok(None),
        Opened::UnknownKey => {
            app.look_for_keys(now).await?;
            Ok(match try_open(app, token) {
                Opened::Token(token) => Some(token),
                Opened::Foreign | Opened::UnknownKey => None,
            })
        }
    }
}

enum Opened {
    Token(Token),
    Foreign,
    UnknownKey,
}

fn try_open(app: &App, token: &str) -> Opened {
    let keys = app.keys.snapshot();
    match keys.open_refresh(token) {
        Ok(presented) => return Opened::Token(Token::Refresh(presented)),
        Err(RefreshTokenError::UnknownKey) => return Opened::UnknownKey,
        Err(_) => {}
    }
    match keys.open_access(token, &app.policy.issuer) {
        Ok(claims) => Opened::Token(Token::Access(claims)),
        Err(NotOurs::UnknownKey) => Opened::UnknownKey,
        Err(NotOurs::Foreign) => Opened::Foreign,
    }
}
