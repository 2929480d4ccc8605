//! Power.

use super::report::Row;
use crate::Outcome;

/// Not yet.
pub(super) fn run(_: u32, _: u64) -> Outcome<Vec<Row>> {
    Ok(Vec::new())
}
