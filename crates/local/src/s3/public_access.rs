//! Which public access a bucket blocks. Owns the defaults; refuses to judge a
//! policy.

use serde::{Deserialize, Serialize};

/// Which public access a bucket blocks; a new bucket blocks all, as on S3.
#[expect(clippy::struct_excessive_bools, reason = "S3's own four switches, each set by itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicAccess {
    pub(super) block_acls: bool,
    pub(super) ignore_acls: bool,
    /// A policy that lets everyone in is refused.
    pub(crate) block_policy: bool,
    /// A policy that lets everyone in lets nobody in but the account.
    pub(crate) restrict: bool,
}

impl PublicAccess {
    pub(super) const NEW: Self =
        Self { block_acls: true, ignore_acls: true, block_policy: true, restrict: true };
    const OPEN: Self = Self { block_acls: false, ignore_acls: false, block_policy: false, restrict: false };

    /// What counts of a stored setting: `None` was never set, `Some(None)` was deleted.
    #[expect(clippy::option_option, reason = "never set and deleted are two states of S3's")]
    pub(crate) fn effective(stored: Option<Option<Self>>) -> Self {
        stored.unwrap_or(Some(Self::NEW)).unwrap_or(Self::OPEN)
    }
}
