//! The keeper of principals: which key belongs to whom, which policies speak
//! for them, and a log of what was decided.
//!
//! Owns: root and role principals, session credentials, the decision log.
//! Refuses: an unknown key, a session without its token, an expired session.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use thiserror::Error;
use tokio::sync::broadcast;

use super::{
    Caller, Credentials, CredentialsError, Decision, Effect, Policies, Policy, Request, RequestContext,
    ResourcePolicy, SessionCredentials, decide,
};
use crate::clock::now_ms;
use crate::counters::Counters;

/// What the root user may always do, whatever the bucket's policy denies: else
/// a mistaken policy could never be mended (S3 API Reference, `PutBucketPolicy`).
const MENDING: [&str; 3] = ["s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"];

/// How many decisions are kept for people to read.
const LOG_LENGTH: usize = 1000;

/// Who an access key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The account's owner: everything is allowed.
    Root,
    /// A session of a role.
    Role {
        /// The role's name.
        role: String,
        /// The session's name, as it appears in the assumed-role ARN.
        session: String,
    },
}

/// Why a session credential is not accepted; S3 answers these with the error
/// codes named in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    /// `InvalidAccessKeyId`: no such key.
    #[error("the access key is not known here")]
    UnknownKey,
    /// `InvalidToken`: a session key came without its token.
    #[error("the access key belongs to a session, and the request carries no x-amz-security-token")]
    Missing,
    /// `InvalidToken`: the token is another's, or a long-term key carries one.
    #[error("the x-amz-security-token is not the one issued with this access key")]
    Wrong,
    /// `ExpiredToken`: the session is over.
    #[error("the session credentials have expired; assume the role again")]
    Expired,
}

/// Why a role cannot be assumed.
#[derive(Debug, Error)]
pub enum AssumeError {
    /// No role has this name.
    #[error("there is no role named {0:?}; create it first")]
    UnknownRole(String),
    /// No key could be made.
    #[error(transparent)]
    Credentials(CredentialsError),
}

/// One decision as the log keeps it.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedDecision {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The caller's ARN, or `anonymous`.
    pub principal: String,
    /// For example `s3:GetObject`.
    pub action: String,
    /// The ARN asked for.
    pub resource: String,
    /// The answer and its reason.
    #[serde(flatten)]
    pub decision: Decision,
}

struct Session {
    credentials: SessionCredentials,
    role: String,
    name: String,
    policy: Option<Policy>,
}

#[derive(Default)]
struct State {
    roles: HashMap<String, Vec<Policy>>,
    sessions: HashMap<String, Session>,
}

/// Credentials, principals, policies and the decision log. Shared behind an
/// `Arc`; every method takes `&self`.
pub struct Authority {
    account: String,
    root: Credentials,
    state: RwLock<State>,
    log: Mutex<VecDeque<LoggedDecision>>,
    live: broadcast::Sender<LoggedDecision>,
    /// By action.
    denied: Counters<1>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Authority {
    /// An account of 12 digits with its root key and no roles.
    #[must_use]
    pub fn new(account: &str, root: Credentials) -> Self {
        Self {
            account: account.to_owned(),
            root,
            state: RwLock::default(),
            log: Mutex::default(),
            live: broadcast::channel(256).0,
            denied: Counters::default(),
        }
    }

    /// The account's 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The secret that signs for this key, for `SigV4`; `None` for an unknown key.
    #[must_use]
    pub fn secret_key(&self, access_key_id: &str) -> Option<String> {
        if access_key_id == self.root.access_key_id {
            return Some(self.root.secret_access_key.clone());
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.sessions.get(access_key_id).map(|session| session.credentials.secret_access_key.clone())
    }

    /// Whether the token that came with this key is the one it must present.
    /// A long-term key must come without one, as on AWS.
    pub fn check_session(
        &self,
        access_key_id: &str,
        presented_token: Option<&str>,
    ) -> Result<(), SessionError> {
        if access_key_id == self.root.access_key_id {
            return if presented_token.is_none() { Ok(()) } else { Err(SessionError::Wrong) };
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let session = state.sessions.get(access_key_id).ok_or(SessionError::UnknownKey)?;
        let presented = presented_token.ok_or(SessionError::Missing)?;
        let same: bool =
            subtle::ConstantTimeEq::ct_eq(presented.as_bytes(), session.credentials.session_token.as_bytes())
                .into();
        if !same {
            return Err(SessionError::Wrong);
        }
        if session.credentials.expires <= SystemTime::now() {
            return Err(SessionError::Expired);
        }
        Ok(())
    }

    /// Who this key belongs to; `None` for an unknown or expired one.
    #[must_use]
    pub fn principal(&self, access_key_id: &str) -> Option<Principal> {
        if access_key_id == self.root.access_key_id {
            return Some(Principal::Root);
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let session = state.sessions.get(access_key_id)?;
        (session.credentials.expires > SystemTime::now())
            .then(|| Principal::Role { role: session.role.clone(), session: session.name.clone() })
    }

    /// The principal's ARN as AWS writes it.
    #[must_use]
    pub fn arn(&self, principal: &Principal) -> String {
        match principal {
            Principal::Root => format!("arn:aws:iam::{}:root", self.account),
            Principal::Role { role, session } => {
                format!("arn:aws:sts::{}:assumed-role/{role}/{session}", self.account)
            }
        }
    }

    /// Decides one request on a resource without a policy of its own, and logs
    /// the decision; see [`Authority::authorize_with`].
    #[must_use]
    pub fn authorize(
        &self,
        access_key_id: Option<&str>,
        action: &str,
        resource: &str,
        context: &RequestContext,
    ) -> Decision {
        self.authorize_with(access_key_id, action, resource, context, None)
    }

    /// Decides one request and logs the decision. `access_key_id` is `None`
    /// for an anonymous request; the signature has been verified by the caller.
    /// `policy` is the resource's own, for example the bucket policy.
    #[must_use]
    pub fn authorize_with(
        &self,
        access_key_id: Option<&str>,
        action: &str,
        resource: &str,
        context: &RequestContext,
        policy: Option<&ResourcePolicy>,
    ) -> Decision {
        let principal = access_key_id.and_then(|key| self.principal(key));
        let caller = self.caller(principal.as_ref());
        let context = self.known_of(principal.as_ref(), context);
        let request = Request { caller: &caller, action, resource, context: &context };
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let policies = match &principal {
            Some(Principal::Root) if MENDING.iter().any(|mend| mend.eq_ignore_ascii_case(action)) => {
                Policies::default()
            }
            Some(Principal::Root) | None => Policies { resource: policy, ..Policies::default() },
            Some(Principal::Role { role, .. }) => Policies {
                identity: state.roles.get(role).map_or(&[][..], Vec::as_slice),
                boundary: None,
                session: access_key_id
                    .and_then(|key| state.sessions.get(key))
                    .and_then(|session| session.policy.as_ref()),
                resource: policy,
            },
        };
        let decision = decide(&policies, request);
        drop(state);
        self.record(LoggedDecision {
            at_ms: now_ms(),
            principal: principal.map_or_else(|| "anonymous".to_owned(), |principal| self.arn(&principal)),
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision: decision.clone(),
        });
        decision
    }

    fn caller(&self, principal: Option<&Principal>) -> Caller {
        let account = self.account.clone();
        match principal {
            None => Caller::Anonymous,
            Some(Principal::Root) => Caller::Root { account },
            Some(Principal::Role { role, session }) => {
                Caller::Session { account, role: role.clone(), session: session.clone() }
            }
        }
    }

    /// The context with what is known of the caller and the time, in place of
    /// whatever the request may claim.
    fn known_of(&self, principal: Option<&Principal>, context: &RequestContext) -> RequestContext {
        let mut context = context.clone();
        let account = &self.account;
        let known = match principal {
            None => [None, None, Some("Anonymous".to_owned()), None],
            Some(Principal::Root) => [
                Some(format!("arn:aws:iam::{account}:root")),
                Some(account.clone()),
                Some("Account".to_owned()),
                Some(account.clone()),
            ],
            Some(Principal::Role { role, session }) => [
                Some(format!("arn:aws:iam::{account}:role/{role}")),
                Some(account.clone()),
                Some("AssumedRole".to_owned()),
                Some(format!("{role}:{session}")),
            ],
        };
        let keys = ["aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:userid"];
        for (key, value) in keys.into_iter().zip(known) {
            match value {
                Some(value) => context.replace(key, value),
                None => context.remove(key),
            }
        }
        context.replace("aws:ResourceAccount", account);
        let now = time::OffsetDateTime::now_utc();
        context.replace("aws:EpochTime", now.unix_timestamp().to_string());
        if let Ok(text) = now.format(&time::format_description::well_known::Rfc3339) {
            context.replace("aws:CurrentTime", text);
        }
        context
    }

    /// The newest decisions, oldest first.
    #[must_use]
    pub fn recent_decisions(&self) -> Vec<LoggedDecision> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Every decision from now on.
    #[must_use]
    pub fn decisions(&self) -> broadcast::Receiver<LoggedDecision> {
        self.live.subscribe()
    }

    /// Creates a role, or gives an existing one other policies; running sessions
    /// are decided by the new ones from now on.
    pub fn put_role(&self, role: &str, policies: Vec<Policy>) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).roles.insert(role.to_owned(), policies);
    }

    /// New credentials of a session of `role`, good for `lifetime`.
    pub fn assume_role(
        &self,
        role: &str,
        session: &str,
        lifetime: Duration,
    ) -> Result<SessionCredentials, AssumeError> {
        self.assume_role_within(role, session, lifetime, None)
    }

    /// The same for a session that may do only what `policy` allows as well.
    pub fn assume_role_within(
        &self,
        role: &str,
        session: &str,
        lifetime: Duration,
        policy: Option<Policy>,
    ) -> Result<SessionCredentials, AssumeError> {
        let now = SystemTime::now();
        let credentials = SessionCredentials::generate(now + lifetime).map_err(AssumeError::Credentials)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !state.roles.contains_key(role) {
            return Err(AssumeError::UnknownRole(role.to_owned()));
        }
        state.sessions.retain(|_, session| session.credentials.expires > now);
        state.sessions.insert(
            credentials.access_key_id.clone(),
            Session {
                credentials: credentials.clone(),
                role: role.to_owned(),
                name: session.to_owned(),
                policy,
            },
        );
        Ok(credentials)
    }

    /// Denials, counted by action.
    pub(crate) fn denied(&self) -> &Counters<1> {
        &self.denied
    }

    fn record(&self, entry: LoggedDecision) {
        if entry.decision.effect == Effect::Deny {
            self.denied.get_or_create(&[("action", entry.action.clone())]).inc();
        }
        match entry.decision.effect {
            // `because` carries the resource as JSON, so it cannot break a line of the log.
            Effect::Allow => tracing::debug!(
                principal = entry.principal,
                action = entry.action,
                resource = entry.resource,
                because = %entry.decision.because,
                "allowed"
            ),
            Effect::Deny => tracing::warn!(
                principal = entry.principal,
                action = entry.action,
                resource = entry.resource,
                because = %entry.decision.because,
                "access denied"
            ),
        }
        let _ = self.live.send(entry.clone());
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LENGTH {
            log.pop_front();
        }
        log.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOUR: Duration = Duration::from_hours(1);

    fn authority() -> (Authority, Credentials) {
        let root = Credentials::generate().unwrap();
        (Authority::new("123456789012", root.clone()), root)
    }

    #[test]
    fn root_may_do_everything_and_nobody_nothing() {
        let (authority, root) = authority();
        let context = RequestContext::new();
        let ask = |key| authority.authorize(key, "s3:DeleteBucket", "arn:aws:s3:::b", &context);
        assert!(ask(Some(&root.access_key_id)).is_allowed());
        assert!(!ask(None).is_allowed());
        assert!(!ask(Some("AKIAUNKNOWN")).is_allowed());
        assert_eq!(authority.recent_decisions().len(), 3);
    }

    #[test]
    fn a_session_needs_its_own_token_and_ends() {
        let (authority, root) = authority();
        authority.put_role("worker", Vec::new());
        let session = authority.assume_role("worker", "one", HOUR).unwrap();
        let other = authority.assume_role("worker", "two", HOUR).unwrap();
        let check = |token: Option<&str>| authority.check_session(&session.access_key_id, token);
        assert_eq!(check(Some(&session.session_token)), Ok(()));
        assert_eq!(check(None), Err(SessionError::Missing));
        assert_eq!(check(Some(&other.session_token)), Err(SessionError::Wrong));
        assert_eq!(authority.check_session("ASIANOBODY", None), Err(SessionError::UnknownKey));
        assert_eq!(authority.check_session(&root.access_key_id, None), Ok(()));
        assert_eq!(authority.check_session(&root.access_key_id, Some("x")), Err(SessionError::Wrong));
        let over = authority.assume_role("worker", "three", Duration::ZERO).unwrap();
        assert_eq!(
            authority.check_session(&over.access_key_id, Some(&over.session_token)),
            Err(SessionError::Expired)
        );
        assert_eq!(authority.principal(&over.access_key_id), None);
    }

    #[test]
    fn a_role_is_held_to_its_policy_and_variables_know_the_principal() {
        let (authority, _) = authority();
        let policy = Policy::parse(&json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:PrincipalAccount}/*" } }))
        .unwrap();
        authority.put_role("worker", vec![policy]);
        let key = authority.assume_role("worker", "one", HOUR).unwrap().access_key_id;
        let forged = RequestContext::new().with("aws:PrincipalAccount", "999999999999");
        let ask = |resource| authority.authorize(Some(&key), "s3:GetObject", resource, &forged).is_allowed();
        assert!(ask("arn:aws:s3:::b/123456789012/k"));
        assert!(!ask("arn:aws:s3:::b/999999999999/k"));
        assert!(matches!(authority.assume_role("nobody", "one", HOUR), Err(AssumeError::UnknownRole(_))));
    }

    #[test]
    fn a_session_policy_and_a_bucket_policy_have_their_say() {
        let (authority, root) = authority();
        let statement = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*" });
        let whole = Policy::parse(&json!({ "Statement": statement })).unwrap();
        let mut read = statement.clone();
        read["Action"] = json!("s3:GetObject");
        let read = Policy::parse(&json!({ "Statement": read })).unwrap();
        authority.put_role("worker", vec![whole]);
        let free = authority.assume_role("worker", "free", HOUR).unwrap().access_key_id;
        let held = authority.assume_role_within("worker", "held", HOUR, Some(read)).unwrap().access_key_id;
        let mut public = statement.clone();
        public["Principal"] = json!("*");
        public["Action"] = json!("s3:GetObject");
        let locked = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"] });
        let public = ResourcePolicy::parse(&json!({ "Statement": public })).unwrap();
        let locked = ResourcePolicy::parse(&json!({ "Statement": locked })).unwrap();
        let context = RequestContext::new();
        let ask = |key: Option<&str>, action: &str, policy: Option<&ResourcePolicy>| {
            authority.authorize_with(key, action, "arn:aws:s3:::b/k", &context, policy).is_allowed()
        };
        let (free, held, root) = (Some(&free[..]), Some(&held[..]), Some(&root.access_key_id[..]));
        for (key, action, policy, allowed) in [
            (free, "s3:PutObject", None, true),
            (held, "s3:GetObject", None, true),
            (held, "s3:PutObject", None, false),
            (None, "s3:GetObject", None, false),
            (None, "s3:GetObject", Some(&public), true),
            (None, "s3:PutObject", Some(&public), false),
            (Some("AKIAUNKNOWN"), "s3:PutObject", Some(&public), false),
            (free, "s3:GetObject", Some(&locked), false),
            (root, "s3:GetObject", Some(&locked), false),
            (root, "s3:DeleteBucketPolicy", Some(&locked), true),
            (root, "s3:GetObject", Some(&public), true),
        ] {
            assert_eq!(ask(key, action, policy), allowed, "{key:?} {action} {policy:?}");
        }
    }

    #[test]
    fn nobody_can_claim_to_be_a_principal_by_the_request() {
        let (authority, _) = authority();
        let policy = ResourcePolicy::parse(&json!({ "Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": { "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::123456789012:role/worker" } } } }))
        .unwrap();
        let forged = RequestContext::new().with("aws:PrincipalArn", "arn:aws:iam::123456789012:role/worker");
        let ask = |key: Option<&str>| {
            authority
                .authorize_with(key, "s3:GetObject", "arn:aws:s3:::b/k", &forged, Some(&policy))
                .is_allowed()
        };
        assert!(!ask(None));
        authority.put_role("worker", Vec::new());
        let key = authority.assume_role("worker", "one", HOUR).unwrap().access_key_id;
        assert!(ask(Some(&key)));
    }

    #[test]
    fn the_log_is_bounded_and_debug_shows_no_secret() {
        let (authority, root) = authority();
        for _ in 0..LOG_LENGTH + 5 {
            let _ = authority.authorize(None, "s3:GetObject", "arn:aws:s3:::b/k", &RequestContext::new());
        }
        assert_eq!(authority.recent_decisions().len(), LOG_LENGTH);
        assert!(!format!("{authority:?}").contains(&root.secret_access_key));
    }
}
