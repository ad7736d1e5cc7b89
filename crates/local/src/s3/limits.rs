//! How large a request may be.
//!
//! Owns: the limits that more than one check applies. Refuses: applying them.

/// Largest XML body: a thousand keys of 1,024 bytes, each escaped.
pub(super) const MAX_XML: usize = 8 * 1024 * 1024;
