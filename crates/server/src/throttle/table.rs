//! A table that never holds more than it was made for: when it is full, first those entries go that
//! are of no use any more, and then those that were longest not touched.

use std::collections::HashMap;

use crate::time::Timestamp;

/// What a table holds.
pub(super) trait Entry: Default {
    /// Whether it says no more than a missing one.
    fn is_spent(&self, now: Timestamp) -> bool;
}

pub(super) struct Table<V> {
    /// Each with the number of its last touch: numbers differ where times do not.
    entries: HashMap<u64, (u64, V)>,
    touches: u64,
    most: usize,
}

impl<V: Entry> Table<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), touches: 0, most: most.max(1) }
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.entries.get(&key).map(|(_, value)| value)
    }

    /// The entry, a new one if there is none.
    pub(super) fn entry(&mut self, key: u64, now: Timestamp) -> &mut V {
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        self.touches += 1;
        let (touch, value) = self.entries.entry(key).or_default();
        *touch = self.touches;
        value
    }

    pub(super) fn remove(&mut self, key: u64) {
        self.entries.remove(&key);
    }

    /// An eighth at once, so that it is done seldom and costs each entry little.
    fn make_room(&mut self, now: Timestamp) {
        self.entries.retain(|_, (_, value)| !value.is_spent(now));
        let excess = (self.entries.len() + self.most.div_ceil(8)).saturating_sub(self.most);
        let mut touches: Vec<u64> = self.entries.values().map(|(touch, _)| *touch).collect();
        touches.sort_unstable();
        if let Some(newest_to_go) = excess.checked_sub(1).and_then(|last| touches.get(last)) {
            self.entries.retain(|_, (touch, _)| *touch > *newest_to_go);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
