//! The S3 endpoint: the protocol by `s3s`, the behaviour by [`crate::storage`],
//! every decision by [`crate::iam`].
//!
//! Owns: operations, S3's error codes, the server. Refuses: serving without
//! an [`crate::iam::Authority`], and success for anything that is not done:
//! operations that are missing here answer `NotImplemented`.

mod access;
mod actions;
mod attributes;
mod buckets;
mod condition_keys;
mod conditions;
mod cors;
mod documents;
mod error;
mod exchange;
mod facts;
mod fields;
mod framing;
mod limits;
mod listings;
mod notifications;
mod objects;
mod own_origin;
mod policies;
mod policy;
mod public_access;
mod reads;
mod server;
mod service;
mod settings;
mod signing;
mod tagging;
mod tolerance;
mod uploads;
mod whole;

pub(crate) use condition_keys::CONDITION_KEYS;
pub use documents::Document;
pub use framing::{Fault, Framing, Mode};
pub use server::{Requests, S3Settings, serve};
