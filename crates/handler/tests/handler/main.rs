//! The handler over a store in memory that fails, changes and crashes on cue.

mod invocation;
mod pictures;
mod reconcile;
mod support;
