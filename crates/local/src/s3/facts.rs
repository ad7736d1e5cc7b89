//! A request as permissions and condition keys are derived from it.
//!
//! Owns: the view of a request that both read. Refuses: deciding anything.

/// What of a request decides which permissions it needs.
pub(crate) struct Facts<'a> {
    /// The operation's name, such as `PutObject`.
    pub(crate) operation: &'a str,
    /// The bucket, unless the request is for the service.
    pub(crate) bucket: Option<&'a str>,
    /// The key, if the request is for an object.
    pub(crate) key: Option<&'a str>,
    /// A query parameter, decoded.
    pub(crate) query: &'a dyn Fn(&str) -> Option<String>,
    /// A header.
    pub(crate) header: &'a dyn Fn(&str) -> Option<&'a str>,
}
