//! A small cloud that knows nothing of images: S3 endpoint, IAM, event queue,
//! Lambda environments, and the port and the stop of a page beside them.
//!
//! Owns: the semantics of the services that it stands in for. Refuses: any
//! knowledge of pictures or recipes; it runs whatever function it is given.

pub mod activity;
mod clock;
pub mod cloud;
mod counters;
pub mod database;
pub mod extension;
mod hex;
pub mod iam;
pub mod lambda;
pub mod lineage;
mod metrics;
pub mod notify;
pub mod observer;
pub mod queue;
mod record;
pub mod s3;
pub mod storage;

pub use hex::hex;
