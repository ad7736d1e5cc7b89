//! A small cloud that knows nothing of images: S3 endpoint, IAM, event queue,
//! Lambda environments, console page.
//!
//! Owns: the semantics of the services that it stands in for. Refuses: any
//! knowledge of pictures or recipes; it runs whatever function it is given.

pub mod activity;
pub mod cloud;
pub mod console;
pub mod database;
pub mod iam;
pub mod lambda;
pub mod lineage;
mod metrics;
pub mod notify;
pub mod queue;
pub mod s3;
pub mod storage;
