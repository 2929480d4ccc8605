//! Which parties take part. One model of everything at once does not reach its end; each of these
//! does, and together they have every pair that can race.

use super::state::{Flaw, Place};

/// Who and what takes part, and how far it goes.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(super) name: &'static str,
    /// What it is about, in words.
    pub(super) about: &'static str,
    /// The newest generation that is presented: so many rotations.
    pub(super) generations: u8,
    pub(super) tabs: u8,
    /// Whether the tabs send `Idempotency-Key`.
    pub(super) proof: bool,
    /// Whether clients and network keep to what L1 to L3 ask of them.
    pub(super) tidy: bool,
    pub(super) thief: Option<Thief>,
    /// Most requests on their way, at the server or on their way back.
    pub(super) in_flight: usize,
    pub(super) last_tick: i8,
    /// The absolute expiry.
    pub(super) expires: i8,
    /// By how many ticks a node's clock may be wrong, differently for each request.
    pub(super) skew: i8,
    /// Revocation, sign-out, disable and enable, cut of the client, change of the client.
    pub(super) gates: bool,
    /// A new server key.
    pub(super) keys: bool,
    pub(super) purge: bool,
}

/// What the thief can do.
#[derive(Debug, Clone)]
pub(super) struct Thief {
    pub(super) place: Place,
    /// With a retry proof of its own, or without.
    pub(super) proofs: &'static [bool],
    pub(super) flaws: &'static [Flaw],
}

const WHOLE: &[Flaw] = &[Flaw::None];
const EVERY_FLAW: &[Flaw] = &[Flaw::None, Flaw::AnotherClient, Flaw::AnotherNonce];

impl Scenario {
    /// All scenarios; the short ones are for every test run.
    pub(super) fn all(short: bool) -> Vec<Self> {
        let base = Self {
            name: "",
            about: "",
            generations: if short { 2 } else { 3 },
            tabs: 2,
            proof: true,
            tidy: false,
            thief: None,
            in_flight: 2,
            last_tick: if short { 1 } else { 2 },
            expires: if short { 2 } else { 3 },
            skew: 0,
            gates: false,
            keys: false,
            purge: false,
        };
        let tidy = Self {
            tidy: true,
            keys: true,
            in_flight: if short { 2 } else { 3 },
            last_tick: if short { 1 } else { 4 },
            expires: if short { 2 } else { 5 },
            ..base.clone()
        };
        let alone = Self { tabs: 1, ..base.clone() };
        let gates = Self {
            gates: true,
            purge: true,
            in_flight: if short { 1 } else { 2 },
            last_tick: if short { 1 } else { 2 },
            expires: if short { 1 } else { 2 },
            ..alone.clone()
        };
        let thief = |place, flaws| Some(Thief { place, proofs: &[false, true], flaws });
        vec![
            Self {
                name: "tabs with retry proof",
                about: "two tabs, lost answers, crashes, wrong clocks, a new server key; no limit on the time of a retry",
                skew: i8::from(!short),
                ..tidy.clone()
            },
            Self {
                name: "tabs without",
                about: "the same without a retry proof; retries inside the window, clocks right",
                proof: false,
                // So that a window ends before the session does.
                last_tick: if short { 2 } else { 4 },
                expires: if short { 3 } else { 5 },
                ..tidy
            },
            Self {
                name: "wild network",
                about: "two tabs whose requests may arrive at any later time, also after the successor was used; wrong clocks",
                tabs: if short { 1 } else { 2 },
                skew: 1,
                ..base
            },
            Self {
                name: "thief of a proving client",
                about: "one tab with retry proof, a thief elsewhere without its installation secret",
                thief: thief(Place::Elsewhere, WHOLE),
                ..alone.clone()
            },
            Self {
                name: "thief at home",
                about: "one tab without retry proof, a thief in the same network with the same user agent",
                proof: false,
                thief: thief(Place::Home, WHOLE),
                last_tick: 2,
                expires: 3,
                ..alone.clone()
            },
            Self {
                name: "thief elsewhere",
                about: "one tab without retry proof, a thief in another network: the lockstep rule",
                proof: false,
                thief: thief(Place::Elsewhere, WHOLE),
                ..alone.clone()
            },
            Self {
                name: "edited tokens",
                about: "a thief who also presents what it has as another client and with another nonce",
                generations: if short { 1 } else { 3 },
                thief: thief(Place::Elsewhere, EVERY_FLAW),
                ..alone.clone()
            },
            Self {
                name: "gates",
                about: "one tab, its retries, and every change that must stop it: revocation, sign-out, disable and enable, client cut and change; the purge",
                ..gates.clone()
            },
            Self {
                name: "gates without proof",
                about: "the same without a retry proof, with wrong clocks",
                proof: false,
                generations: if short { 1 } else { 3 },
                skew: i8::from(!short),
                ..gates.clone()
            },
            Self {
                name: "thief and gates",
                about: "one tab with retry proof, a thief elsewhere, and every change",
                thief: thief(Place::Elsewhere, WHOLE),
                generations: if short { 1 } else { 3 },
                ..gates
            },
        ]
    }
}
