//! The table of what is next.
