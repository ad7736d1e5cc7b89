//! The handler's [`Store`](minilab_handler::Store) over S3, and the handler at
//! work on real buckets, with or without Lambda.
//!
//! Owns: the S3 client's settings, credentials, the machine's clock, the
//! pictures that a recipe keeps in a bucket. Refuses: to decide what a failure
//! means, to read the environment, and to know Lambda.

mod access;
mod clock;
mod handler;
mod store;
mod supply;

pub use access::{Credentials, Endpoint, S3Access};
pub use clock::{SystemClock, seed, uptime};
pub use handler::{BucketHandler, handler};
pub use store::{Listed, Listing, S3Store, https_client};
pub use supply::{SupplyError, supply};
