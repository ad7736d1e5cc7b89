//! The decision: default deny, an explicit deny wins, and the reason in words.
//!
//! Owns: the order of evaluation and the explanation. Refuses: state; the same
//! policies and request always give the same decision.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use serde_json::json;

use super::pattern::escape;
use super::policy::{Miss, Policy};
use super::{Decision, Effect, RequestContext};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// For example `s3:GetObject`; compared without case.
    pub action: &'a str,
    /// An ARN such as `arn:aws:s3:::bucket/key`; compared with case.
    pub resource: &'a str,
    /// The facts that conditions and variables read.
    pub context: &'a RequestContext,
}

/// Decides one request against the identity policies of its principal.
#[must_use]
pub fn decide(policies: &[Policy], request: Request<'_>) -> Decision {
    let mut allowed_by = None;
    let mut nearest: Option<(Miss, &str)> = None;
    for statement in policies.iter().flat_map(|policy| &policy.statements) {
        match (statement.effect, statement.speaks(request.action, request.resource, request.context)) {
            (Effect::Deny, Ok(())) => {
                return Decision {
                    effect: Effect::Deny,
                    because: format!("{} denies it explicitly", statement.label),
                };
            }
            (Effect::Allow, Ok(())) => {
                allowed_by.get_or_insert(&statement.label);
            }
            (Effect::Allow, Err(miss)) => {
                if nearest.as_ref().is_none_or(|(best, _)| miss > *best) {
                    nearest = Some((miss, &statement.label));
                }
            }
            (Effect::Deny, Err(_)) => {}
        }
    }
    if let Some(label) = allowed_by {
        return Decision { effect: Effect::Allow, because: format!("{label} allows it") };
    }
    let needed = json!({ "Effect": "Allow", "Action": request.action, "Resource": escape(request.resource) });
    // Written in the order that people write it, which a sorted map would not keep.
    let needed = format!(
        "{{\"Effect\":\"Allow\",\"Action\":{},\"Resource\":{}}}",
        needed["Action"], needed["Resource"]
    );
    let because = match nearest {
        None => format!("no statement allows anything; needed: {needed}"),
        Some((Miss::Action, _)) => format!("no statement allows {}; needed: {needed}", request.action),
        Some((Miss::Resource(why) | Miss::Condition(why), label)) => {
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

    fn ask(policies: &[Policy], action: &str, resource: &str) -> Decision {
        decide(policies, Request { action, resource, context: &RequestContext::new() })
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
            let decision = decide(&[policy(&json!(statements))], Request { action, resource, context: &context });
            prop_assert_eq!(decision.effect, Effect::Deny);
        }

        #[test]
        fn adding_an_allow_never_removes_access(
            statements in prop::collection::vec(any_statement(), 0..6),
            mut more in any_statement(),
            (action, resource, context) in any_request(),
        ) {
            more["Effect"] = json!("Allow");
            let request = Request { action, resource, context: &context };
            let before = decide(&[policy(&json!(statements))], request);
            let after = decide(&[policy(&json!(statements)), policy(&more)], request);
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
            let request = Request { action, resource, context: &context };
            let allowed = decide(&[policy(&json!(statements))], request).is_allowed();
            prop_assert!(!allowed);
        }

        #[test]
        fn any_document_is_read_or_refused(text in any::<String>(), operator in "[A-Za-z:]{0,20}", value in any::<String>()) {
            let _ = Policy::from_json(&text);
            let _ = Policy::parse(&json!({ "Version": value, "Statement": { "Effect": "Allow", "Action": value, "Resource": value } }));
            let _ = Policy::parse(&json!({ "Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{value}"),
                "Condition": { operator: { "k": value } } } }));
        }
    }
}
