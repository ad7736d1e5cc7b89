//! What an execution environment is made from.
//!
//! Owns: the list of it. Refuses: starting anything.

use super::{FunctionSpec, Identity};
use crate::activity::Feed;
use crate::iam::SessionCredentials;

/// What an environment is made from.
pub(super) struct Plan<'a> {
    pub(super) spec: &'a FunctionSpec,
    pub(super) identity: &'a Identity,
    pub(super) credentials: &'a SessionCredentials,
    pub(super) log_stream: String,
    /// Where the function finds S3.
    pub(super) s3_endpoint: Option<&'a str>,
    pub(super) feed: Feed,
}
