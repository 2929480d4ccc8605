//! What the server says about itself while it runs: log lines on standard error and, where a
//! collector is configured, OpenTelemetry spans.

mod format;
mod otlp;
mod request_id;

use std::io::IsTerminal as _;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::filter_fn,
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

use crate::config::{LogFormat, LogSettings, Settings};
use format::Lines;

pub use otlp::OtlpError;
pub use request_id::RequestId;

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The collector's client could not be made.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// The process has a log already.
    #[error(transparent)]
    Started(#[from] TryInitError),
}

/// Running telemetry. [`Telemetry::stop`] sends the spans that have not been sent.
#[derive(Debug)]
#[must_use = "spans that were not sent are lost unless it is stopped"]
pub struct Telemetry {
    spans: Option<otlp::Spans>,
}

/// Starts logs, spans and the panic hook for the whole process. Call it inside the runtime.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(settings: &Settings) -> Result<Telemetry, TelemetryError> {
    let spans = settings.otlp_endpoint.as_deref().map(otlp::Spans::to).transpose()?;
    let ansi = std::io::stderr().is_terminal();
    let otlp_layer = spans.as_ref().map(|spans| spans.layer().with_filter(filter_fn(otlp::is_exported)));
    Registry::default().with(otlp_layer).with(log_layer(&settings.log, ansi, std::io::stderr)).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Telemetry { spans })
}

impl Telemetry {
    /// True when spans are exported, so that making them is worth the time.
    pub fn exports_spans(&self) -> bool {
        self.spans.is_some()
    }

    /// Sends what has not been sent, for at most [`FLUSH_TIMEOUT`](crate::config::FLUSH_TIMEOUT).
    pub async fn stop(self) {
        if let Some(spans) = self.spans {
            spans.flush().await;
        }
    }
}

/// The layer that writes log lines.
fn log_layer<S, W>(log: &LogSettings, ansi: bool, writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = match log.format {
        LogFormat::Pretty => Lines::Pretty { ansi },
        LogFormat::Json => Lines::Json,
    };
    // The level is known to parse; should it ever not, `info` is logged.
    let level = EnvFilter::builder().parse(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt::layer()
        .fmt_fields(format::Fields)
        .event_format(lines)
        .with_writer(writer)
        .with_filter(filter_fn(is_safe))
        .with_filter(level)
}

/// Below `info`, libraries print what they handle: statements with their parameters, frames with
/// their contents. None of that is for a log, whatever level was asked for.
fn is_safe(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || is_ours(metadata.target())
}

/// Whether a target is a module of this crate or of its siblings.
fn is_ours(target: &str) -> bool {
    target.split([':', '_']).next() == Some("countersign")
}

/// A panic is a bug, and its message may be made of anything: only a literal one, which holds no
/// data of a request, is repeated.
fn log_panic(info: &std::panic::PanicHookInfo<'_>) {
    let text = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, text, "panic");
}

/// A subscriber that writes log lines only.
#[cfg(test)]
pub(crate) fn log_to<W>(log: &LogSettings, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Registry::default().with(log_layer(log, false, writer))
}

#[cfg(test)]
mod tests;
