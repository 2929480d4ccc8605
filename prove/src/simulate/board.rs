//! The scoreboard: what was counted, and a verdict for each promise.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::Table;
use serde_json::{Value, json};

use super::ledger::Tally;
use super::thief::{Heist, Kind};

/// Most endings that are told one by one.
const MOST_TOLD: usize = 10;
/// Upper ends of the histogram's bars, in overlap windows, but for the last.
const BARS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Longest bar.
const BAR_WIDTH: usize = 40;

/// Everything a run has seen.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) seed: u64,
    pub(crate) target: String,
    pub(crate) elapsed: Duration,
    pub(crate) restarts: u64,
    pub(crate) honest: Honest,
    pub(crate) heists: Vec<Heist>,
    /// Thefts that came to nothing: the victim's own conditions did not hold, or it was gone first.
    pub(crate) heists_void: usize,
    /// Of thieves, the overlap of their victims.
    pub(crate) overlap: Duration,
    pub(crate) tally: Tally,
    pub(crate) live_forks: usize,
    /// What happened on the wire, by name.
    pub(crate) wire: BTreeMap<&'static str, u64>,
    pub(crate) refusals: BTreeMap<String, u64>,
}

/// The honest sessions' part.
#[derive(Default)]
pub(crate) struct Honest {
    pub(crate) sessions: usize,
    pub(crate) refreshes: u64,
    pub(crate) recovered: u64,
    pub(crate) unrecovered: u64,
    pub(crate) converged: u64,
    pub(crate) diverged: u64,
    pub(crate) forfeited: usize,
    /// Sessions whose first token was refused.
    pub(crate) unusable: usize,
    /// The words of each ending.
    pub(crate) ended: Vec<String>,
    pub(crate) tally: Tally,
}

/// How a promise fared.
pub(crate) struct Verdict {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    /// `None`: the run has not put it to the test.
    pub(crate) kept: Option<bool>,
    pub(crate) evidence: String,
}

impl Board {
    /// The verdicts: docs/proof.md says what each means.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let honest = &self.honest;
        let of = |name, promise, tried: bool, kept: bool, evidence| Verdict {
            name,
            promise,
            // What was broken was tried.
            kept: (tried || !kept).then_some(kept),
            evidence,
        };
        let promised = || self.heists.iter().filter(|heist| heist.kind.is_promised());
        let unnoticed = promised().filter(|heist| !heist.noticed).count();
        let outlived = self.heists.iter().filter(|heist| heist.noticed && !heist.family_ended).count();
        let revived = self.tally.revived;
        vec![
            of(
                "L1",
                "a lost answer recovers",
                honest.recovered > 0,
                honest.unrecovered == 0,
                format!("{} recovered, {} not", honest.recovered, honest.unrecovered),
            ),
            of(
                "L2",
                "no honest session is ended",
                honest.refreshes > 0,
                honest.ended.is_empty(),
                format!("{} ended in {} refreshes", honest.ended.len(), honest.refreshes),
            ),
            of(
                "L3",
                "tabs and processes converge",
                honest.converged > 0,
                honest.diverged == 0,
                format!("{} rounds converged, {} did not", honest.converged, honest.diverged),
            ),
            of(
                "S2",
                "no fork",
                self.tally.repeats > 0,
                self.tally.forks == 0,
                format!("{} forks, {} pairs of live chains", self.tally.forks, self.live_forks),
            ),
            of(
                "S5",
                "grace is bounded",
                self.heists.iter().any(|heist| heist.kind == Kind::LeakedLate),
                self.tally.graceless == 0,
                format!("{} spent tokens accepted outside of it", self.tally.graceless),
            ),
            of(
                "S6",
                "reuse ends the session, for ever",
                promised().count() > 0,
                unnoticed == 0 && outlived == 0 && revived == 0,
                format!(
                    "{} thieves, {unnoticed} not caught, {outlived} sessions outlived it, {revived} answers after the end",
                    promised().count()
                ),
            ),
        ]
    }

    /// Whether every promise was kept, of those that were put to the test.
    pub(crate) fn is_good(&self) -> bool {
        self.verdicts().iter().all(|verdict| verdict.kept != Some(false))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let verdicts: BTreeMap<&str, Value> = self
            .verdicts()
            .into_iter()
            .map(|v| (v.name, json!({"promise": v.promise, "kept": v.kept, "evidence": v.evidence})))
            .collect();
        let thieves: Vec<Value> = self
            .groups()
            .into_iter()
            .map(|((kind, proving), heists)| {
                let latency = Latency::of(&heists);
                json!({
                    "kind": kind.as_str(), "victim_proves": proving, "promised": kind.is_promised(),
                    "thieves": heists.len(), "caught": latency.seconds.len(),
                    "seconds": quantiles(&latency.seconds), "generations": quantiles(&latency.generations),
                    "access_tokens": quantiles(&latency.access_tokens),
                    "victims_ended": heists.iter().filter(|h| h.victim_ended).count(),
                    "sessions_outlived": heists.iter().filter(|h| h.noticed && !h.family_ended).count(),
                })
            })
            .collect();
        let honest = &self.honest;
        json!({
            "seed": self.seed, "target": self.target, "seconds": self.elapsed.as_secs_f64(),
            "restarts": self.restarts, "good": self.is_good(), "verdicts": verdicts,
            "honest": {
                "sessions": honest.sessions, "refreshes": honest.refreshes, "ended": honest.ended,
                "forfeited": honest.forfeited, "unusable": honest.unusable, "lost_answers_recovered": honest.recovered,
                "lost_answers_not_recovered": honest.unrecovered, "rounds_converged": honest.converged,
                "rounds_diverged": honest.diverged, "same_successor_again": honest.tally.repeats,
            },
            "forks": self.tally.forks, "live_chain_pairs": self.live_forks,
            "graceless": self.tally.graceless, "after_the_end": self.tally.revived,
            "thieves": thieves, "thefts_void": self.heists_void, "wire": self.wire, "refusals": self.refusals,
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let honest = &self.honest;
        let mut out = format!(
            "{} · seed {} · {:.1} s · {} restarts\n\n",
            self.target,
            self.seed,
            self.elapsed.as_secs_f64(),
            self.restarts
        );
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        let mut row = |name: &str, value: String| {
            table.add_row([name, value.as_str()]);
        };
        row("honest sessions", honest.sessions.to_string());
        row("honest refreshes", honest.refreshes.to_string());
        row("honest sessions ended", honest.ended.len().to_string());
        row("conditions not kept, not judged", honest.forfeited.to_string());
        row("first token refused, not judged", honest.unusable.to_string());
        row("thefts that came to nothing", self.heists_void.to_string());
        row("same successor again", honest.tally.repeats.to_string());
        row("tokens with two successors", self.tally.forks.to_string());
        for (name, count) in &self.wire {
            row(name, count.to_string());
        }
        for (name, count) in &self.refusals {
            row(&format!("refused: {name}"), count.to_string());
        }
        out += &format!("{table}\n");
        for words in honest.ended.iter().take(MOST_TOLD) {
            out += &format!("  ended: {words}\n");
        }
        if !self.heists.is_empty() {
            out += &format!("\n{}\n", self.thieves());
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header(["", "promise", "", "evidence"]);
        for verdict in self.verdicts() {
            let word = match verdict.kept {
                Some(true) => "kept",
                Some(false) => "BROKEN",
                None => "not tried",
            };
            table.add_row([verdict.name, verdict.promise, word, verdict.evidence.as_str()]);
        }
        out + &format!("\n{table}\n")
    }

    fn thieves(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header([
            "thief",
            "victim",
            "caught",
            "seconds p50/p90/p99/max",
            "generations",
            "access tokens",
            "victims out too",
        ]);
        let mut histograms = String::new();
        for ((kind, proving), heists) in self.groups() {
            let latency = Latency::of(&heists);
            let victim = if proving { "proves" } else { "plain" };
            let promise = if kind.is_promised() { "" } else { " (not promised)" };
            table.add_row([
                kind.as_str().to_owned(),
                victim.to_owned(),
                format!("{}/{}{promise}", latency.seconds.len(), heists.len()),
                spread(&latency.seconds, 2),
                spread(&latency.generations, 0),
                spread(&latency.access_tokens, 0),
                heists.iter().filter(|heist| heist.victim_ended).count().to_string(),
            ]);
            histograms += &self.histogram(&format!("{}, victim {victim}", kind.as_str()), &latency.seconds);
        }
        format!("{table}\n\ntime until caught, in overlap windows of {:?}:\n{histograms}", self.overlap)
    }

    /// One line for each bar that has something.
    fn histogram(&self, title: &str, seconds: &[f64]) -> String {
        let window = self.overlap.as_secs_f64().max(f64::MIN_POSITIVE);
        let mut bars = vec![0_usize; BARS.len() + 1];
        for second in seconds {
            let place = BARS.iter().position(|end| second / window <= *end).unwrap_or(BARS.len());
            if let Some(bar) = bars.get_mut(place) {
                *bar += 1;
            }
        }
        let mut out = format!("  {title}\n");
        for (index, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
            let end = BARS.get(index).map_or("more".to_owned(), |end| format!("≤ {end}"));
            let width = (count * BAR_WIDTH).div_ceil(seconds.len().max(1));
            out += &format!("    {end:>6} {} {count}\n", "█".repeat(width));
        }
        out
    }

    fn groups(&self) -> BTreeMap<(Kind, bool), Vec<&Heist>> {
        let mut groups: BTreeMap<_, Vec<&Heist>> = BTreeMap::new();
        for heist in &self.heists {
            groups.entry((heist.kind, heist.proving)).or_default().push(heist);
        }
        groups
    }
}

/// Of the thieves that were caught, sorted; access tokens of all.
struct Latency {
    seconds: Vec<f64>,
    generations: Vec<f64>,
    access_tokens: Vec<f64>,
}

impl Latency {
    fn of(heists: &[&Heist]) -> Self {
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let caught = || heists.iter().filter(|heist| heist.noticed);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        Self {
            seconds: sorted(caught().map(|heist| heist.latency.as_secs_f64()).collect()),
            generations: sorted(caught().map(|heist| heist.generations as f64).collect()),
            access_tokens: sorted(heists.iter().map(|heist| heist.access_tokens as f64).collect()),
        }
    }
}

/// Median, 90 %, 99 %, most.
fn quantiles(sorted: &[f64]) -> Vec<f64> {
    [50, 90, 99, 100]
        .iter()
        .filter_map(|percent| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied())
        .collect()
}

fn spread(sorted: &[f64], digits: usize) -> String {
    let values: Vec<String> = quantiles(sorted).iter().map(|value| format!("{value:.digits$}")).collect();
    if values.is_empty() { "-".to_owned() } else { values.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantiles(&values), [50.0, 90.0, 99.0, 100.0]);
        assert_eq!(quantiles(&[7.0]), [7.0; 4]);
        assert!(quantiles(&[]).is_empty());
    }

    #[test]
    fn what_was_not_tried_is_not_called_kept() {
        let board = Board::default();
        assert!(board.verdicts().iter().all(|verdict| verdict.kept.is_none()));
    }
}
