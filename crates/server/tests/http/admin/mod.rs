//! The admin API from outside, on both engines.

mod access;
mod clients;
mod lists;
mod resources;
mod sessions;
mod users;
