//! Spans for an OpenTelemetry collector: OTLP over plain HTTP, protobuf.

use std::{sync::Arc, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{Level, Metadata};

use super::is_ours;
use crate::config::FLUSH_TIMEOUT;

/// Why the collector's client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the OpenTelemetry exporter cannot be made: {0}")]
pub struct OtlpError(#[from] ExporterBuildError);

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The spans of this process, on their way to a collector.
#[derive(Debug)]
pub(super) struct Spans {
    provider: SdkTracerProvider,
}

impl Spans {
    /// Exports to the collector at this base URL. Call it inside the runtime.
    pub(super) fn to(endpoint: &str) -> Result<Self, OtlpError> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let exporter = OnRuntime { exporter: Arc::new(exporter), runtime: tokio::runtime::Handle::current() };
        let resource = Resource::builder()
            .with_service_name("countersign")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self { provider })
    }

    /// The layer that hands spans over.
    pub(super) fn layer<S>(&self) -> tracing_opentelemetry::OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("countersign"))
    }

    /// Sends what is left. The provider waits on a thread of its own, so that the runtime can
    /// go on sending.
    pub(super) async fn flush(self) {
        let stopped = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        if let Ok(Err(error)) = stopped.await {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// What is exported: our own spans and events, never those of the libraries that export.
pub(super) fn is_exported(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO && is_ours(metadata.target())
}

/// Runs an exporter on the runtime. The batch processor polls its exporter on a plain thread,
/// where the HTTP client finds neither sockets nor timers.
#[derive(Debug)]
struct OnRuntime<E> {
    exporter: Arc<E>,
    runtime: tokio::runtime::Handle,
}

impl<E: SpanExporter + 'static> SpanExporter for OnRuntime<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = Arc::clone(&self.exporter);
        match self.runtime.spawn(async move { exporter.export(batch).await }).await {
            Ok(result) => result,
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Called once, by the builder, before there is a second owner.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}
