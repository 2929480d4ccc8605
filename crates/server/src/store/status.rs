//! Status lists: where a session stands in one, and what a list says.
//!
//! A session's index is drawn at random, so that it tells nothing of when the session began but for
//! the list that was being filled; see decision 0018.

/// A session's place among all status lists: the list's number and the bit's, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusIndex(pub u64);

impl StatusIndex {
    /// Bits of the second part.
    pub const POSITION_BITS: u32 = 17;
    /// Bits in a list.
    pub const LIST_LEN: u32 = 1 << Self::POSITION_BITS;
    /// The largest number of a list: an index fits a column.
    pub const LAST_LIST: u64 = (1 << (63 - Self::POSITION_BITS)) - 1;
    /// How many positions are drawn for a session. The list is full once all are taken: with this
    /// many, at some 77,000 sessions.
    pub const DRAWN: usize = 16;
    /// Lists of an epoch, as bits of the list's number. A restored backup begins the next epoch,
    /// with numbers that the store which was lost cannot have given out.
    pub const EPOCH_BITS: u32 = 20;

    /// The place of a position in a list.
    pub fn new(list: u64, position: u32) -> Self {
        Self((list << Self::POSITION_BITS) | u64::from(position % Self::LIST_LEN))
    }

    /// The number of its list.
    pub fn list(self) -> u64 {
        self.0 >> Self::POSITION_BITS
    }

    /// The number of its bit: the `idx` of a token.
    pub fn position(self) -> u32 {
        u32::try_from(self.0 % u64::from(Self::LIST_LEN)).unwrap_or_default()
    }

    /// Whether a list is of an earlier epoch than the current one. Whoever is in it is over, also who
    /// is not known here.
    pub(super) fn is_past(list: u64, current: u64) -> bool {
        list >> Self::EPOCH_BITS < current >> Self::EPOCH_BITS
    }
}

/// The bits of a list: a set one says that the session which has that index is over. Indexes that
/// nobody has read as good: as many are over as are told.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusBits(Vec<u8>);

impl StatusBits {
    const BYTES: usize = (StatusIndex::LIST_LEN / 8) as usize;

    /// Nobody is over.
    pub fn none() -> Self {
        Self(vec![0; Self::BYTES])
    }

    /// Everybody is.
    pub fn all() -> Self {
        Self(vec![0xff; Self::BYTES])
    }

    /// Sets a bit, counted from the lowest of the first byte on (draft-ietf-oauth-status-list-20
    /// section 4.1).
    pub fn set(&mut self, position: u32) {
        if let Some(byte) = self.0.get_mut(position as usize / 8) {
            *byte |= 1 << (position % 8);
        }
    }

    /// Whether a bit is set.
    pub fn is_set(&self, position: u32) -> bool {
        self.0.get(position as usize / 8).is_some_and(|byte| byte & (1 << (position % 8)) != 0)
    }

    /// The bytes, as they are compressed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for StatusBits {
    /// The bits that are set.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries((0..StatusIndex::LIST_LEN).filter(|position| self.is_set(*position))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_a_list_and_a_position() {
        let index = StatusIndex::new(3, 131_071);
        assert_eq!((index.list(), index.position()), (3, 131_071));
        assert_eq!(StatusIndex::new(0, 0), StatusIndex(0));
        assert_eq!(StatusIndex(index.0 + 1), StatusIndex::new(4, 0));
        let last = StatusIndex::new(StatusIndex::LAST_LIST, StatusIndex::LIST_LEN - 1);
        assert_eq!(i64::try_from(last.0), Ok(i64::MAX));
    }

    #[test]
    fn an_epoch_leaves_all_lists_before_it_behind() {
        let first = 1 << StatusIndex::EPOCH_BITS;
        assert!(!StatusIndex::is_past(0, first - 1));
        assert!(StatusIndex::is_past(0, first) && StatusIndex::is_past(first - 1, first));
        assert!(!StatusIndex::is_past(first, first) && !StatusIndex::is_past(first + 1, first));
    }

    /// The example of section 4.1: the bytes B9 A3.
    #[test]
    fn bits_are_in_the_order_of_the_draft() {
        let mut bits = StatusBits::none();
        for (position, bit) in [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1].into_iter().enumerate() {
            if bit == 1 {
                bits.set(position as u32);
            }
            assert_eq!(bits.is_set(position as u32), bit == 1);
        }
        assert_eq!(bits.as_bytes()[..3], [0xb9, 0xa3, 0]);
        assert_eq!(bits.as_bytes().len(), 16_384);
        assert_eq!(format!("{bits:?}"), "{0, 3, 4, 5, 7, 8, 9, 13, 15}");
        assert!(StatusBits::all().is_set(131_071));
    }

    #[test]
    fn a_position_that_is_in_no_list_is_nowhere() {
        let mut bits = StatusBits::none();
        bits.set(StatusIndex::LIST_LEN);
        assert_eq!(bits, StatusBits::none());
        assert!(!StatusBits::all().is_set(StatusIndex::LIST_LEN));
    }
}
