//! Who is calling, and may they: credentials, sessions, policies and the one
//! decision function that every object access passes.
//!
//! Owns: the policy language ([`Policy`], [`ResourcePolicy`]), its evaluation
//! ([`decide`]), access keys, and the log of decisions ([`Authority`]).
//! Refuses: any knowledge of what an action does; callers name actions and
//! resources as AWS does.
//!
//! [`decide`] is a pure function of [`Policies`] (identity, permissions
//! boundary, session, resource) and a [`Request`] (caller, action, resource,
//! context). A service asks [`Authority::authorize`], or, when the resource has
//! a policy of its own, [`Authority::authorize_with`]; both fill in what the
//! context must know of the caller, decide, and log.

mod authority;
mod condition;
mod context;
mod credentials;
mod decide;
mod error;
mod pattern;
mod policy;
mod principal;

pub use authority::{AssumeError, Authority, LoggedDecision, Principal, SessionError};
pub use context::RequestContext;
pub use credentials::{Credentials, CredentialsError, SessionCredentials};
pub use decide::{Policies, Request, decide};
pub use error::PolicyError;
pub(crate) use policy::ConditionKeys;
pub use policy::{Policy, ResourcePolicy};
pub use principal::Caller;

use serde::Serialize;

/// What a decision or a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// The request may proceed.
    Allow,
    /// The request is refused.
    Deny,
}

/// The answer to one request, with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether the request may proceed.
    pub effect: Effect,
    /// For people: which statement allowed or denied, or which statement would
    /// have been needed.
    pub because: String,
}

impl Decision {
    /// Whether the request may proceed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }
}
