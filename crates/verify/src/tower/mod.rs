//! For services made of tower's layers, axum's among them: requests come in with a token that is
//! good, or are answered here.

mod extract;
mod layer;

pub use self::extract::NoGuard;
pub use self::layer::{GuardLayer, GuardService};
