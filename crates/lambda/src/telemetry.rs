//! Where spans go, if anywhere: what a program that traces hands to the
//! function. Owns the three questions; knows no protocol of tracing.

use std::fmt;
use tracing::Span;
use tracing_subscriber::{Layer, Registry};

/// A tracer as the function uses it.
pub struct Telemetry {
    /// Takes the spans.
    pub layer: Box<dyn Layer<Registry> + Send + Sync>,
    /// Makes a span, which has not begun, a child of what the platform's trace
    /// header names.
    pub adopt: fn(&Span, &str),
    /// Sends what has ended. Called before each answer: afterwards the platform
    /// may freeze the process.
    pub flush: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
