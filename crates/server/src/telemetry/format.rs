//! The form of a log line. Our own, for two reasons: an event is always one line, whatever a client
//! managed to get into a field (line ends, terminal sequences), and the request id is on every line
//! without a span being made for each request.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use super::RequestId;
use crate::time::{Clock as _, SystemClock, Timestamp};

/// How events are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// `TIME LEVEL target: message name=value …`
    Pretty {
        /// With colours.
        ansi: bool,
    },
    /// One object: `timestamp`, `level`, `target`, `message`, `request_id`, and the fields.
    Json,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = SystemClock.now();
        let mut spans = String::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(spans, " {}{{{fields}}}", span.name())?;
            }
        }
        match self {
            Self::Pretty { ansi } => pretty(&mut writer, *ansi, now, event, &spans),
            Self::Json => json(&mut writer, now, event, &spans),
        }
    }
}

fn pretty(
    writer: &mut Writer<'_>,
    ansi: bool,
    now: Timestamp,
    event: &Event<'_>,
    spans: &str,
) -> fmt::Result {
    let metadata = event.metadata();
    let (colour, dim, plain) =
        if ansi { (level_colour(*metadata.level()), "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    write!(writer, "{dim}{}{plain} {colour}{:>5}{plain} ", Millis(now), metadata.level())?;
    let mut text = Text::default();
    event.record(&mut text);
    write!(writer, "{dim}{}:{plain}", text.log_target.as_deref().unwrap_or(metadata.target()))?;
    writer.write_str(&text.message)?;
    writer.write_str(&text.fields)?;
    if let Some(id) = RequestId::current() {
        write!(writer, " request_id={}", id.as_str())?;
    }
    writeln!(writer, "{spans}")
}

fn json(writer: &mut Writer<'_>, now: Timestamp, event: &Event<'_>, spans: &str) -> fmt::Result {
    let metadata = event.metadata();
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), Millis(now).to_string().into());
    line.insert("level".to_owned(), metadata.level().as_str().into());
    line.insert("target".to_owned(), metadata.target().into());
    event.record(&mut Object(&mut line));
    if let Some(id) = RequestId::current() {
        line.insert("request_id".to_owned(), id.as_str().into());
    }
    if !spans.is_empty() {
        line.insert("spans".to_owned(), spans.trim_start().into());
    }
    writeln!(writer, "{}", Value::Object(line))
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// RFC 3339 to the millisecond.
struct Millis(Timestamp);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => f.write_str("-"),
        }
    }
}

/// The fields of spans, kept as text until an event is written in them.
#[derive(Debug)]
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = Text::default();
        fields.record(&mut text);
        writer.write_str(text.fields.trim_start())
    }
}

/// Collects fields as ` name=value`, each safe to print.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    log_target: Option<String>,
}

/// Events made from records of the `log` crate carry their target and their place in the source
/// as fields: the target is shown as such, the rest not at all.
const LOG_FIELDS: &str = "log.";
const LOG_TARGET: &str = "log.target";

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name().starts_with(LOG_FIELDS) {
            return;
        }
        let target = if field.name() == "message" { &mut self.message } else { &mut self.fields };
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(OneLine(target), " {value:?}"),
            name => write!(OneLine(target), " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == LOG_TARGET {
            self.log_target = Some(value.to_owned());
            return;
        }
        // Quoted only where it would not be one word: `status=200 route=/oauth/token`.
        let word = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '=');
        if word {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }
}

/// Writes text with everything escaped that ends a line or that a terminal obeys
/// (RUSTSEC-2025-0055 is the case of terminal sequences), or that turns the text around.
struct OneLine<'a>(&'a mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let unsafe_to_print = c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c);
            if unsafe_to_print {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Collects fields as members of an object. The serialiser escapes C0 controls; the rest is made
/// harmless here, so that a log viewer cannot be played either.
struct Object<'a>(&'a mut Map<String, Value>);

impl Object<'_> {
    fn insert(&mut self, field: &Field, value: Value) {
        let name = if field.name() == LOG_TARGET { "target" } else { field.name() };
        if !name.starts_with(LOG_FIELDS) {
            self.0.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Object<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(OneLine(&mut text), "{value:?}");
        self.insert(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }
}
