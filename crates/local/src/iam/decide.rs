//! The decision: default deny, an explicit deny wins, and the reason in words.
//!
//! Owns: the order of evaluation and the explanation. Refuses: state; the same
//! policies and request always give the same decision.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use serde_json::json;

use super::pattern::escape;
use super::policy::{Miss, Policy, ResourcePolicy, Statement};
use super::principal::{Caller, Named};
use super::{Decision, Effect, RequestContext};

/// What is asked, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// For example `s3:GetObject`; compared without case.
    pub action: &'a str,
    /// An ARN such as `arn:aws:s3:::bucket/key`; compared with case.
    pub resource: &'a str,
    /// The facts that conditions and variables read.
    pub context: &'a RequestContext,
}

/// Every policy that has a say in one request. The default has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// The caller's, or its role's.
    pub identity: &'a [Policy],
    /// The most that the caller's identity policies can grant.
    pub boundary: Option<&'a Policy>,
    /// The most that the session was given when the role was assumed.
    pub session: Option<&'a Policy>,
    /// The resource's own, for example the bucket policy.
    pub resource: Option<&'a ResourcePolicy>,
}

/// What one kind of policy says.
#[derive(Default)]
struct Word<'a> {
    denied_by: Option<&'a str>,
    /// With the most direct name under which it is allowed.
    allowed_by: Option<(Named, &'a str)>,
    nearest: Option<(Miss, &'a str)>,
}

impl<'a> Word<'a> {
    fn of(statements: impl Iterator<Item = &'a Statement>, request: Request<'_>, bounded: bool) -> Self {
        let Request { caller, action, resource, context } = request;
        let mut word = Self::default();
        for statement in statements {
            let label = statement.label.as_str();
            match (statement.effect, statement.speaks(action, resource, context, caller, bounded)) {
                (Effect::Deny, Ok(_)) => {
                    word.denied_by.get_or_insert(label);
                }
                (Effect::Allow, Ok(named)) => {
                    if word.allowed_by.is_none_or(|(best, _)| named > best) {
                        word.allowed_by = Some((named, label));
                    }
                }
                (Effect::Allow, Err(miss)) => {
                    if word.nearest.as_ref().is_none_or(|(best, _)| miss > *best) {
                        word.nearest = Some((miss, label));
                    }
                }
                (Effect::Deny, Err(_)) => {}
            }
        }
        word
    }
}

/// Decides one request within one account.
///
/// An explicit deny of any policy wins. Else the root user is allowed; nobody
/// and services need the resource's policy; users and sessions need their own
/// policies or the resource's. A boundary and a session's policy limit what
/// their own policies and a grant to the role's ARN give, but not what the
/// resource's policy gives directly: to the user, to the session, or to everyone.
#[must_use]
pub fn decide(policies: &Policies<'_>, request: Request<'_>) -> Decision {
    let bounded = policies.boundary.is_some();
    let identity = Word::of(policies.identity.iter().flat_map(|policy| &policy.statements), request, bounded);
    let limits = [("permissions boundary", policies.boundary), ("session policy", policies.session)].map(
        |(kind, policy)| policy.map(|policy| (kind, Word::of(policy.statements.iter(), request, bounded))),
    );
    let resource = policies
        .resource
        .map(|policy| Word::of(policy.statements.iter(), request, bounded))
        .unwrap_or_default();

    let of = |label: &str, kind: &str| format!("{label} of the {kind}");
    let denied_by = resource
        .denied_by
        .map(|label| of(label, "resource's policy"))
        .or_else(|| identity.denied_by.map(str::to_owned))
        .or_else(|| {
            limits.iter().flatten().find_map(|(kind, word)| word.denied_by.map(|label| of(label, kind)))
        });
    if let Some(statement) = denied_by {
        return Decision { effect: Effect::Deny, because: format!("{statement} denies it explicitly") };
    }
    let allow =
        |statement: &str| Decision { effect: Effect::Allow, because: format!("{statement} allows it") };
    let granted = match (request.caller, resource.allowed_by, identity.allowed_by) {
        (Caller::Root { .. }, _, _) => {
            return Decision {
                effect: Effect::Allow,
                because: "the account's root user may do everything".to_owned(),
            };
        }
        (_, Some((Named::Directly, label)), _) => return allow(&of(label, "resource's policy")),
        (Caller::Anonymous, _, _) => {
            return Decision {
                effect: Effect::Deny,
                because: "anonymous requests are not allowed; sign the request with an access key".to_owned(),
            };
        }
        (Caller::Service(_), _, _) => None,
        (_, _, Some((_, label))) => Some(label.to_owned()),
        (_, Some((Named::Role, label)), None) => Some(of(label, "resource's policy")),
        // To name the account leaves it to the account's own policies.
        (_, Some((Named::Account, _)) | None, None) => None,
    };
    let needed = json!({ "Effect": "Allow", "Action": request.action, "Resource": escape(request.resource) });
    // Written in the order that people write it, which a sorted map would not keep.
    let needed = format!(
        "{{\"Effect\":\"Allow\",\"Action\":{},\"Resource\":{}}}",
        needed["Action"], needed["Resource"]
    );
    if let Some(statement) = granted {
        return match limits.iter().flatten().find(|(_, word)| word.allowed_by.is_none()) {
            None => allow(&statement),
            Some((kind, _)) => Decision {
                effect: Effect::Deny,
                because: format!("{statement} allows it, but the {kind} does not; needed there: {needed}"),
            },
        };
    }
    let because = match identity.nearest {
        None => format!("no statement allows anything; needed: {needed}"),
        Some((Miss::Action, _)) => format!("no statement allows {}; needed: {needed}", request.action),
        Some((Miss::Principal(why) | Miss::Resource(why) | Miss::Condition(why), label)) => {
            format!("no statement allows it; needed: {needed}; the nearest is {label}, but {why}")
        }
    };
    Decision { effect: Effect::Deny, because }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn policy(statements: &Value) -> Policy {
        Policy::parse(&json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
    }

    fn session() -> Caller {
        Caller::Session {
            account: "123456789012".to_owned(),
            role: "worker".to_owned(),
            session: "one".to_owned(),
        }
    }

    fn ask(identity: &[Policy], action: &str, resource: &str) -> Decision {
        let caller = &session();
        let request = Request { caller, action, resource, context: &RequestContext::new() };
        decide(&Policies { identity, ..Policies::default() }, request)
    }

    #[test]
    fn the_documented_order_holds() {
        let read =
            json!({ "Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::a/*" });
        let secret = json!({ "Sid": "Secret", "Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::a/secret/*" });
        let rest = json!({ "Sid": "Rest", "Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": "arn:aws:s3:::a/*" });
        let policies = [policy(&json!([read, secret, rest]))];
        for (action, resource, effect) in [
            ("s3:GetObject", "arn:aws:s3:::a/k", Effect::Allow),
            ("S3:getobject", "arn:aws:s3:::a/k", Effect::Allow),
            ("s3:PutObject", "arn:aws:s3:::a/k", Effect::Deny),
            ("s3:GetObject", "arn:aws:s3:::a", Effect::Allow),
            ("s3:GetObject", "arn:aws:s3:::a/secret/k", Effect::Deny),
            ("s3:PutObject", "arn:aws:s3:::b/k", Effect::Allow),
            ("s3:DeleteObject", "arn:aws:s3:::b/k", Effect::Deny),
        ] {
            assert_eq!(ask(&policies, action, resource).effect, effect, "{action} {resource}");
        }
    }

    #[test]
    fn the_reason_names_the_statement_or_what_would_have_been_needed() {
        let policies = [policy(&json!([
            { "Sid": "WritePrints", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::prints/small/*" },
            { "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*" },
            { "Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::prints",
              "Condition": { "StringLike": { "s3:prefix": "small/*" } } },
        ]))];
        assert_eq!(
            ask(&policies, "s3:PutObject", "arn:aws:s3:::prints/small/a").because,
            "statement \"WritePrints\" allows it"
        );
        assert_eq!(
            ask(&policies, "s3:DeleteObject", "arn:aws:s3:::prints/a").because,
            "statement 2 denies it explicitly"
        );
        assert_eq!(
            ask(&policies, "s3:PutObject", "arn:aws:s3:::prints/big/a*").because,
            "no statement allows it; needed: {\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::prints/big/a${*}\"}; \
             the nearest is statement \"WritePrints\", but its Resource is arn:aws:s3:::prints/small/*"
        );
        assert_eq!(
            ask(&policies, "s3:GetObject", "arn:aws:s3:::prints/a").because,
            "no statement allows s3:GetObject; needed: {\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::prints/a\"}"
        );
        let listed = ask(&policies, "s3:ListBucket", "arn:aws:s3:::prints").because;
        assert!(
            listed.ends_with("StringLike s3:prefix [\"small/*\"]: the request does not carry it"),
            "{listed}"
        );
        assert!(
            ask(&[], "s3:GetObject", "arn:aws:s3:::prints/a")
                .because
                .starts_with("no statement allows anything")
        );
    }

    fn resource_policy(statements: &Value) -> ResourcePolicy {
        ResourcePolicy::parse(&json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
    }

    const NAMES: [&str; 5] = ["nobody", "root", "user", "session", "service"];

    fn caller(name: &str) -> Caller {
        let account = "123456789012".to_owned();
        match name {
            "nobody" => Caller::Anonymous,
            "root" => Caller::Root { account },
            "user" => Caller::User { account, name: "alice".to_owned() },
            "session" => session(),
            _ => Caller::Service("logging.s3.amazonaws.com".to_owned()),
        }
    }

    /// The table of "Resource-based policies and implicit denies in other policy
    /// types (same account)" of the evaluation logic: whom a resource's `Allow`
    /// lets in when nothing else allows, and when an identity policy allows.
    #[test]
    fn a_resource_policy_lets_in_whom_it_names_directly_whatever_else_is_silent() {
        let allow = |resource| json!({ "Effect": "Allow", "Action": "s3:*", "Resource": resource });
        let silent = policy(&allow("arn:aws:s3:::elsewhere"));
        let open = policy(&allow("*"));
        let user = json!({ "AWS": "arn:aws:iam::123456789012:user/alice" });
        let role = json!({ "AWS": "arn:aws:iam::123456789012:role/worker" });
        let one = json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker/one" });
        let account = json!({ "AWS": "123456789012" });
        let service = json!({ "Service": "logging.s3.amazonaws.com" });
        // Principal, identity policy, limit (of boundary and of session) → who is let in besides root.
        let rows: [(&Value, Option<&Policy>, Option<&Policy>, &[&str]); 16] = [
            (&json!("*"), None, None, &["nobody", "user", "session", "service"]),
            (&json!("*"), None, Some(&silent), &["nobody", "user", "session", "service"]),
            (&user, None, None, &["user"]),
            (&user, Some(&silent), Some(&silent), &["user"]),
            (&role, None, None, &["session"]),
            (&role, None, Some(&open), &["session"]),
            (&role, None, Some(&silent), &[]),
            (&role, Some(&open), Some(&silent), &[]),
            (&one, None, None, &["session"]),
            (&one, Some(&silent), Some(&silent), &["session"]),
            (&account, None, None, &[]),
            (&account, Some(&open), None, &["user", "session"]),
            (&account, Some(&open), Some(&silent), &[]),
            (&account, Some(&silent), Some(&open), &[]),
            (&service, None, None, &["service"]),
            (&service, Some(&open), Some(&open), &["user", "session", "service"]),
        ];
        for (principal, identity, limit, let_in) in rows {
            let mut statement = allow("arn:aws:s3:::b/*");
            statement["Principal"] = principal.clone();
            let resource = resource_policy(&statement);
            for name in NAMES {
                for limits in [(limit, None), (None, limit), (limit, limit)] {
                    let decision = decide(
                        &Policies {
                            identity: identity.map_or(&[], std::slice::from_ref),
                            boundary: limits.0,
                            session: limits.1,
                            resource: Some(&resource),
                        },
                        Request {
                            caller: &caller(name),
                            action: "s3:GetObject",
                            resource: "arn:aws:s3:::b/k",
                            context: &RequestContext::new(),
                        },
                    );
                    assert_eq!(
                        decision.is_allowed(),
                        name == "root" || let_in.contains(&name),
                        "{name}, {principal}, {identity:?}, {limits:?}: {}",
                        decision.because
                    );
                }
            }
        }
    }

    #[test]
    fn an_explicit_deny_of_any_policy_wins_over_every_allow() {
        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let mut none = all.clone();
        none["Effect"] = json!("Deny");
        let mut all_by_resource = all.clone();
        all_by_resource["Principal"] = json!("*");
        let (open, shut) = (policy(&all), policy(&none));
        let open_resource = resource_policy(&all_by_resource);
        let context = RequestContext::new();
        let decided = |policies: &Policies<'_>, caller: &Caller| {
            let (action, resource) = ("s3:GetObject", "arn:aws:s3:::b/k");
            decide(policies, Request { caller, action, resource, context: &context })
        };
        let everything = Policies {
            identity: std::slice::from_ref(&open),
            boundary: Some(&open),
            session: Some(&open),
            resource: Some(&open_resource),
        };
        let caller = session();
        assert!(decided(&everything, &caller).is_allowed());
        for policies in [
            Policies { identity: std::slice::from_ref(&shut), ..everything },
            Policies { boundary: Some(&shut), ..everything },
            Policies { session: Some(&shut), ..everything },
        ] {
            assert!(!decided(&policies, &caller).is_allowed(), "{policies:?}");
        }
        for (principal, denied) in [
            (json!("*"), &NAMES[..]),
            (json!({ "AWS": "123456789012" }), &["root", "user", "session"]),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/worker" }), &["session"]),
            (json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker/one" }), &["session"]),
            (json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker/two" }), &[]),
        ] {
            let mut deny = none.clone();
            deny["Principal"] = principal.clone();
            let resource = resource_policy(&json!([all_by_resource, deny]));
            for name in NAMES {
                let policies = Policies { resource: Some(&resource), ..everything };
                let decision = decided(&policies, &self::caller(name));
                assert_eq!(!decision.is_allowed(), denied.contains(&name), "{principal} for {name}");
            }
        }
    }

    #[test]
    fn a_limit_is_named_in_the_reason() {
        let open = policy(&json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
        let shut = policy(&json!({ "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*" }));
        let caller = session();
        let request = Request {
            caller: &caller,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            context: &RequestContext::new(),
        };
        let identity = std::slice::from_ref(&open);
        let policies = Policies { identity, session: Some(&shut), ..Policies::default() };
        assert_eq!(
            decide(&policies, request).because,
            "statement 1 allows it, but the session policy does not; needed there: \
             {\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/k\"}"
        );
    }

    fn any_statement() -> impl Strategy<Value = Value> {
        let pattern = prop::sample::select(vec![
            "*",
            "arn:aws:s3:::a/*",
            "arn:aws:s3:::a/x",
            "arn:aws:s3:::?",
            "arn:aws:s3:::${k:v}",
        ]);
        let action = prop::sample::select(vec!["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject"]);
        let operator = prop::sample::select(vec![
            "StringEquals",
            "StringNotEquals",
            "ForAllValues:StringLike",
            "StringLikeIfExists",
        ]);
        (any::<bool>(), any::<bool>(), any::<bool>(), action, pattern, prop::option::of(operator)).prop_map(
            |(allow, not_action, not_resource, action, resource, operator)| {
                let mut statement = json!({ "Effect": if allow { "Allow" } else { "Deny" } });
                statement[if not_action { "NotAction" } else { "Action" }] = json!(action);
                statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resource);
                if let Some(operator) = operator {
                    statement["Condition"] = json!({ operator: { "k:v": ["a", "x"] } });
                }
                statement
            },
        )
    }

    fn any_request() -> impl Strategy<Value = (&'static str, &'static str, RequestContext)> {
        (
            prop::sample::select(vec!["s3:GetObject", "s3:PutObject", "s3:ListBucket"]),
            prop::sample::select(vec![
                "arn:aws:s3:::a/x",
                "arn:aws:s3:::a/y",
                "arn:aws:s3:::a",
                "arn:aws:s3:::b",
            ]),
            prop::option::of(prop::sample::select(vec!["a", "x", "z"])),
        )
            .prop_map(|(action, resource, value)| {
                let context = RequestContext::new();
                (action, resource, value.map_or_else(RequestContext::new, |value| context.with("k:v", value)))
            })
    }

    proptest! {
        #[test]
        fn a_deny_that_speaks_always_wins(
            statements in prop::collection::vec(any_statement(), 0..6),
            place in any::<prop::sample::Index>(),
            (action, resource, context) in any_request(),
        ) {
            let mut statements = statements;
            let at = place.index(statements.len() + 1);
            statements.insert(at, json!({ "Effect": "Deny", "Action": action, "Resource": resource }));
            let request = Request { caller: &session(), action, resource, context: &context };
            let identity = &[policy(&json!(statements))];
            let decision = decide(&Policies { identity, ..Policies::default() }, request);
            prop_assert_eq!(decision.effect, Effect::Deny);
        }

        #[test]
        fn adding_an_allow_never_removes_access(
            statements in prop::collection::vec(any_statement(), 0..6),
            mut more in any_statement(),
            (action, resource, context) in any_request(),
        ) {
            more["Effect"] = json!("Allow");
            let request = Request { caller: &session(), action, resource, context: &context };
            let identity = [policy(&json!(statements)), policy(&more)];
            let before = decide(&Policies { identity: &identity[..1], ..Policies::default() }, request);
            let after = decide(&Policies { identity: &identity, ..Policies::default() }, request);
            prop_assert!(!before.is_allowed() || after.is_allowed());
        }

        #[test]
        fn nothing_is_allowed_without_an_allow(
            mut statements in prop::collection::vec(any_statement(), 0..6),
            (action, resource, context) in any_request(),
        ) {
            for statement in &mut statements {
                statement["Effect"] = json!("Deny");
            }
            let request = Request { caller: &session(), action, resource, context: &context };
            let identity = &[policy(&json!(statements))];
            let allowed = decide(&Policies { identity, ..Policies::default() }, request).is_allowed();
            prop_assert!(!allowed);
        }

        #[test]
        fn any_document_is_read_or_refused(text in any::<String>(), operator in "[A-Za-z:]{0,20}", value in any::<String>()) {
            let _ = Policy::from_json(&text);
            let _ = ResourcePolicy::from_json(&text);
            let _ = ResourcePolicy::parse(&json!({ "Statement": { "Effect": "Deny", "Principal": { "AWS": value }, "Action": "*", "Resource": "*" } }));
            let _ = Policy::parse(&json!({ "Version": value, "Statement": { "Effect": "Allow", "Action": value, "Resource": value } }));
            let _ = Policy::parse(&json!({ "Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{value}"),
                "Condition": { operator: { "k": value } } } }));
        }
    }
}
