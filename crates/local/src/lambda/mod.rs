//! Functions as Lambda runs them: the Runtime API, execution environments that
//! are child processes, and asynchronous invocation with its retries.
//!
//! Owns: everything between "an event is queued" and "the function handled it,
//! or the event is with the failure destination". Refuses: any knowledge of
//! what the function does; it is a command that speaks the Runtime API.
//!
//! - [`FunctionSpec`]: what to run and within which limits.
//! - `runtime_api`: the HTTP interface of one environment
//!   (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
//! - `environment`: one child process in its own process group.
//! - `pool`: warm environments, at most `concurrency` of them.
//! - `invoker`: takes events from the queue, retries, gives up.

mod environment;
mod extension;
mod invoker;
mod memory;
mod orphan;
mod outcome;
mod output;
mod plan;
mod pool;
mod process;
mod registered;
mod runtime_api;
mod spec;
mod variables;

pub use crate::record::InvocationRecord;
pub use invoker::{Invoker, Pending};
pub use orphan::end_orphans;
pub use outcome::{Failure, Outcome};
pub use pool::Pool;
pub use spec::{FunctionSpec, Identity, SpecError};
