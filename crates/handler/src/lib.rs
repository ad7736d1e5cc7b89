//! Storage events → reconcile → stored renditions.
//!
//! An event is a hint that names a key; the source bucket is the truth. Owns
//! the shapes of events, the reconcile protocol over a small [`Store`], and
//! the one decision on what a failure means ([`verdict`]). Refuses to name any
//! cloud or HTTP library, to read a clock, and to need an executor: time,
//! pauses and the renderer are passed in, so that a scheduler can drive it.

mod arrival;
mod backoff;
mod batch;
mod clock;
#[doc(hidden)]
pub mod contract;
pub mod event;
mod handle;
mod hex;
pub mod logged;
mod memory;
mod outcome;
mod reconcile;
mod renderer;
mod report;
pub mod store;
pub mod tag;
pub mod verdict;

pub use arrival::{Arrival, Bringer};
pub use backoff::Patience;
pub use batch::Batch;
pub use clock::Clock;
pub use handle::{ErrorKind, Handler, HandlerError, Options};
pub use logged::Logged;
pub use memory::{MemoryStore, Stored};
pub use outcome::{Account, Outcome, State, Summary, Timings, Unfinished};
pub use renderer::{Job, Renderer, ThreadRenderer};
pub use store::Store;
