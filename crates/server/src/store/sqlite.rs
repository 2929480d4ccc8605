//! The engine arrives with its own change.

/// The SQLite store.
pub struct SqliteStore;

impl SqliteStore {
    /// Opens a file.
    ///
    /// # Errors
    /// Always, until the engine is there.
    pub fn open(_: &std::path::Path) -> super::StoreResult<std::sync::Arc<dyn super::Store>> {
        Err(super::StoreError::Broken("not there yet".to_owned()))
    }
}
