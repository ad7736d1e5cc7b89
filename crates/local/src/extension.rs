//! What the program that starts the cloud may add to it.
//!
//! Owns: the calls that the cloud makes of that program. Refuses: any question
//! about what the objects are.

/// Where an [`Extension`] registers what it counts.
pub use prometheus_client::registry::Registry;

/// Reads the function's log and counts beside the cloud.
pub trait Extension: Send + Sync + 'static {
    /// Takes one line of the function's log, as it is printed. It is called on
    /// the executor's threads, so it has to return quickly.
    fn logged(&self, line: &str);

    /// Registers what it counts with the cloud's own metrics; called once.
    fn register(&self, registry: &mut Registry);
}
