//! The story of a session, drawn.

use std::time::Duration;

use clap::builder::styling::Style;
use serde_json::Value;

use super::Context;
use super::failure::Failure;
use super::output::{BAD, DIM, GOOD, Output, WARN, paint, safe};
use super::show::member;
use super::words::{self, clock_time};
use crate::time::Timestamp;

/// Gaps shorter than this are not drawn: the events belong together.
const GAP: Duration = Duration::from_secs(60);

/// Prints the answer of `…/explain`.
pub(crate) fn print(context: &mut Context, answer: &Value) -> Result<(), Failure> {
    let output = &mut context.output;
    if output.json {
        return output.json(answer);
    }
    let status = member(answer, "status");
    let style = if status == "live" { GOOD } else { BAD };
    let id = member(answer, "session.session_id");
    output.line(&format!("Session {} is {}.", safe(&id), paint(style, &safe(&status))))?;
    let who = [
        ("", member(answer, "session.username")),
        ("on ", member(answer, "session.client_id")),
        ("device ", member(answer, "session.device")),
    ];
    let who: Vec<String> =
        who.iter().filter(|(_, text)| !text.is_empty()).map(|(word, text)| format!("{word}{text}")).collect();
    output.line(&safe(&who.join(", ")))?;
    output.line("")?;
    output.heading(&safe(&member(answer, "verdict")))?;
    let timeline = answer.get("timeline").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !timeline.is_empty() {
        output.line("")?;
        draw(output, timeline)?;
    }
    Ok(())
}

/// One line an event, with the day where it changes and the time that passed between.
fn draw(output: &mut Output, timeline: &[Value]) -> Result<(), Failure> {
    let width = timeline.iter().map(|event| member(event, "kind").chars().count()).max().unwrap_or_default();
    let mut before: Option<Timestamp> = None;
    for event in timeline {
        let at = words::parse(&member(event, "at"));
        if let Some(at) = at {
            let (day, _) = split(at);
            match before {
                Some(earlier) if split(earlier).0 == day => {
                    if at.since(earlier) >= GAP {
                        output.line(&paint(
                            DIM,
                            &format!("          │   {} later", words::span(at.since(earlier))),
                        ))?;
                    }
                }
                Some(earlier) => {
                    output.line(&paint(
                        DIM,
                        &format!("          │   {} later", words::span(at.since(earlier))),
                    ))?;
                    output.line(&paint(DIM, &format!("{day} (UTC)")))?;
                }
                None => output.line(&paint(DIM, &format!("{day} (UTC)")))?,
            }
            before = Some(at);
        }
        let clock = at.map_or_else(|| format!("{:8}", "?"), |at| split(at).1);
        let kind = safe(&member(event, "kind"));
        let (mark, style) = mark(&kind);
        let name = paint(style, &format!("{mark} {kind:width$}"));
        output.line(&format!("{clock}  {name}  {}", safe(&member(event, "detail"))))?;
    }
    Ok(())
}

/// The day and the time of the day.
fn split(at: Timestamp) -> (String, String) {
    let text = clock_time(at);
    let mut parts = text.split(' ');
    (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned())
}

fn mark(kind: &str) -> (char, Style) {
    match kind {
        "start" => ('┌', GOOD),
        "reuse" => ('!', BAD),
        "end" => ('└', BAD),
        "replay" | "network" | "refused" => ('?', WARN),
        _ => ('├', Style::new()),
    }
}
