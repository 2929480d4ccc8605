//! One table, for people or for programs.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::load::Measured;

/// What a figure must reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// No less than this.
    AtLeast(f64),
    /// No less than this, no answer later than these milliseconds.
    AtLeastWithin {
        /// No less than this.
        least: f64,
        /// The 99th percentile is below.
        p99_ms: f64,
        /// The longest is below.
        max_ms: f64,
    },
    /// No less than this share of another row's figure.
    ShareOf {
        /// The other row's figure.
        whole: f64,
        /// The share, in percent.
        percent: f64,
    },
    /// Less than this.
    Below(f64),
    /// Exactly this.
    Exactly(f64),
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Things a second.
    #[serde(rename = "1/s")]
    PerSecond,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
    /// A share of something else.
    #[serde(rename = "percent")]
    Percent,
    /// Table rows.
    #[serde(rename = "rows")]
    Rows,
}

/// A line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    name: String,
    value: f64,
    unit: Unit,
    /// The value with its unit, for people.
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<Load>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

/// What only a load has.
#[derive(Debug, Serialize)]
struct Load {
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
    answered: u64,
    seconds: f64,
    errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_error: Option<String>,
    server_cpus: f64,
    loader_cpus: f64,
    server_us_per_request: f64,
    own_bytes_before: f64,
    own_bytes_after: f64,
}

impl Row {
    /// A single figure.
    pub(crate) fn figure(name: impl Into<String>, value: f64, unit: Unit) -> Self {
        let text = unit.text(value);
        Self { name: name.into(), value, unit, text, load: None, goal: None, goal_text: None, met: None }
    }

    /// What a load measured.
    pub(crate) fn load(name: impl Into<String>, measured: &Measured) -> Self {
        let load = Load {
            p50_ms: measured.quantile_ms(0.5),
            p99_ms: measured.quantile_ms(0.99),
            p999_ms: measured.quantile_ms(0.999),
            max_ms: measured.max_ms(),
            answered: measured.answered,
            seconds: measured.seconds,
            errors: measured.errors,
            first_error: measured.first_error.clone(),
            server_cpus: measured.server_cpus,
            loader_cpus: measured.loader_cpus,
            server_us_per_request: measured.server_us(),
            own_bytes_before: measured.own_bytes.0,
            own_bytes_after: measured.own_bytes.1,
        };
        Self { load: Some(load), ..Self::figure(name, measured.rate(), Unit::PerSecond) }
    }

    /// The same with a goal.
    pub(crate) fn with_goal(mut self, goal: Goal) -> Self {
        let (p99, max) = self.load.as_ref().map_or((0.0, 0.0), |load| (load.p99_ms, load.max_ms));
        let failed = self.load.as_ref().is_some_and(|load| load.errors > 0);
        self.met = Some(goal.is_met(self.value, p99, max) && !failed);
        self.goal = Some(goal);
        self.goal_text = Some(goal.text(self.unit));
        self
    }

    fn cells(&self) -> Vec<Cell> {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let mut cells = vec![Cell::new(&self.name), right(self.text.clone())];
        match &self.load {
            Some(load) => {
                for ms in [load.p50_ms, load.p99_ms, load.p999_ms, load.max_ms] {
                    cells.push(right(format!("{ms:.1}")));
                }
                let errors = right(grouped(load.errors as f64));
                cells.push(if load.errors > 0 { errors.fg(Color::Red) } else { errors });
                cells.push(right(format!("{:.2} / {:.2}", load.server_cpus, load.loader_cpus)));
                cells.push(right(format!("{:.1}", load.server_us_per_request)));
                let memory = [load.own_bytes_before, load.own_bytes_after].map(|n| Unit::Bytes.text(n));
                cells.push(right(memory.join(" / ")));
            }
            None => cells.extend((0..8).map(|_| Cell::new(""))),
        }
        cells.push(match (&self.goal_text, self.met) {
            (Some(goal), Some(met)) => {
                let (word, color) = if met { ("met", Color::Green) } else { ("missed", Color::Red) };
                Cell::new(format!("{goal}: {word}")).fg(color)
            }
            _ => Cell::new(""),
        });
        cells
    }
}

impl Goal {
    fn is_met(self, value: f64, p99: f64, max: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtLeastWithin { least, p99_ms, max_ms } => value >= least && p99 < p99_ms && max < max_ms,
            Self::ShareOf { whole, percent } => value >= whole * percent / 100.0,
            Self::Below(limit) => value < limit,
            Self::Exactly(wanted) => value == wanted,
        }
    }

    fn text(self, unit: Unit) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", unit.text(least)),
            Self::AtLeastWithin { least, p99_ms, max_ms } => {
                format!("≥ {}, p99 < {p99_ms:.0} ms, max < {max_ms:.0} ms", unit.text(least))
            }
            Self::ShareOf { whole, percent } => {
                format!("≥ {percent:.0} % of the ceiling, {}", unit.text(whole * percent / 100.0))
            }
            Self::Below(limit) => format!("< {}", unit.text(limit)),
            Self::Exactly(wanted) => unit.text(wanted),
        }
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{} /s", grouped(value)),
            Self::Milliseconds => format!("{} ms", grouped(value)),
            Self::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Percent => format!("{value:.2} %"),
            Self::Rows => format!("{} rows", grouped(value)),
        }
    }
}

/// A number without decimals, its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

/// The table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(vec![
        "what",
        "figure",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "errors",
        "processors\nserver / load",
        "µs of server\na request",
        "own memory\nbefore / after",
        "goal",
    ]);
    table.add_rows(rows.iter().map(Row::cells));
    let mut text = table.to_string();
    for row in rows {
        if let Some(error) = row.load.as_ref().and_then(|load| load.first_error.as_ref()) {
            text.push_str(&format!("\nfirst error of {}: {error}", row.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_234_567.8), "1,234,568");
        assert_eq!(grouped(-1000.0), "-1,000");
    }

    #[test]
    fn goals_are_judged() {
        let row = |value| Row::figure("x", value, Unit::Rows).with_goal(Goal::Exactly(0.0));
        assert_eq!(row(0.0).met, Some(true));
        assert_eq!(row(1.0).met, Some(false));
        let within = Goal::AtLeastWithin { least: 10.0, p99_ms: 50.0, max_ms: 100.0 };
        assert!(within.is_met(10.0, 49.0, 99.0));
        assert!(!within.is_met(9.0, 49.0, 99.0));
        assert!(!within.is_met(10.0, 50.0, 99.0));
        assert!(!within.is_met(10.0, 49.0, 100.0));
        let share = Goal::ShareOf { whole: 100.0, percent: 60.0 };
        assert!(share.is_met(60.0, 0.0, 0.0) && !share.is_met(59.0, 0.0, 0.0));
        assert!(!Goal::Below(1.0).is_met(1.0, 0.0, 0.0));
        assert!(table(&[row(1.0)]).contains("0 rows: missed"));
    }
}
