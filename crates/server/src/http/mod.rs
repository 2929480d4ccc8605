//! HTTP: listeners, the layers that every request passes, and one file per endpoint.

pub mod body;
pub mod layers;
pub mod listen;
pub mod peer;
pub mod shutdown;
mod stream;
