//! The handler over a store in memory that fails, changes and crashes on cue.

mod any_key;
mod choices;
mod coming;
mod convergence;
mod invocation;
mod mutants;
mod network;
mod pictures;
mod reconcile;
mod support;
mod world;
