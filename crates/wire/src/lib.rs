//! The words of the Countersign protocol: ids, scope, secrets, token requests and answers, error
//! codes, claims, keys and metadata. Plain data with strict parsing; no I/O, no clock, no
//! randomness, no cryptography.

mod acr;
mod authorization;
mod claims;
mod error;
mod feed;
mod ids;
mod introspection;
mod jwks;
mod metadata;
mod parameters;
mod scope;
mod secret;
mod status_list;
mod token;

pub use acr::{ACR_ONE_FACTOR, ACR_TWO_FACTORS, ACR_VALUES, acr_satisfies};
pub use authorization::{AuthorizationRequest, Prompt, ResponseMode};
pub use claims::{AccessClaims, Audience, ClaimsKind, IdClaims, LogoutClaims};
pub use error::{ErrorBody, ErrorCode};
pub use feed::{Heartbeat, REVOCATIONS_SCOPE, Revocation, Revocations, Revoked};
pub use ids::{BrowserSessionId, ClientId, InvalidId, SessionId, UserId};
pub use introspection::{IntrospectionAnswer, RefreshFacts};
pub use jwks::{Algorithm, EncryptionJwk, Jwk, JwkSet};
pub use metadata::{ProviderMetadata, ServerMetadata};
pub use parameters::{Parameters, ParametersError};
pub use scope::{InvalidScope, Scope};
pub use secret::{
    AccessToken, AdminToken, AuthorizationCode, BrowserSecret, ClientSecret, CodeVerifier, DeviceCode,
    IdToken, IdempotencyKey, LogoutToken, Password, RefreshToken, RequestUri, UserCode,
};
pub use status_list::{
    STATUS_LIST_MEDIA_TYPE, STATUS_LIST_TYPE, Status, StatusList, StatusListClaims, StatusReference,
};
pub use token::{CodeGrant, DEVICE_CODE_GRANT, Grant, TokenAnswer, TokenRequest};
