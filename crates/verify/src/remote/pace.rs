//! How often the issuer is asked.

use std::time::Duration;

/// The times of the tasks beside the requests. Tests have shorter ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two fetches of keys, whatever tokens name: the `kid` is the sender's text.
    pub(crate) fetch_every: Duration,
    /// How long a request with an unknown key waits for the fetch that it asked for.
    pub(crate) wait: Duration,
    /// What is waited after a failure, doubled each time until the most.
    pub(crate) retry: Duration,
    pub(crate) retry_at_most: Duration,
    /// A feed on which nothing came for so long is dead: the server shows life every five seconds.
    #[cfg(feature = "feed")]
    pub(crate) silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fetch_every: Duration::from_secs(10),
            wait: Duration::from_secs(6),
            retry: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(30),
            #[cfg(feature = "feed")]
            silence: Duration::from_secs(15),
        }
    }
}
