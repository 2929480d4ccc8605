//! stub
use uuid::Uuid;
pub struct Passkeys;
#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub struct PasskeyError;
pub struct Used {
    pub index: usize,
    pub updated: Option<String>,
    pub user_verified: bool,
}
impl Passkeys {
    pub fn new(_issuer: &str, _name: &str) -> Result<Option<Self>, PasskeyError> {
        Ok(None)
    }
    pub fn start_registration(
        &self,
        _u: Uuid,
        _n: &str,
        _e: &[String],
    ) -> Result<(String, String), PasskeyError> {
        Err(PasskeyError)
    }
    pub fn finish_registration(&self, _c: &str, _s: &str) -> Result<String, PasskeyError> {
        Err(PasskeyError)
    }
    pub fn start_authentication(&self, _s: &[String]) -> Result<(String, String), PasskeyError> {
        Err(PasskeyError)
    }
    pub fn finish_authentication(&self, _c: &str, _s: &str, _st: &[String]) -> Result<Used, PasskeyError> {
        Err(PasskeyError)
    }
    pub fn start_discoverable(&self) -> Result<(String, String), PasskeyError> {
        Err(PasskeyError)
    }
    pub fn identify(&self, _c: &str) -> Option<Uuid> {
        None
    }
    pub fn finish_discoverable(&self, _c: &str, _s: &str, _st: &[String]) -> Result<Used, PasskeyError> {
        Err(PasskeyError)
    }
}
