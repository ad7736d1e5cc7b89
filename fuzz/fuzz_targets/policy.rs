//! Any text as a policy, and any request of it: what is not allowed in words
//! is denied, and a deny of everything wins over whatever is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_local::iam::{Caller, Effect, Policies, Policy, Request, RequestContext, ResourcePolicy, decide};

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, action, resource) = input;
    let policy = Policy::from_json(text).ok();
    let on_resource = ResourcePolicy::from_json(text).ok();
    if policy.is_none() && on_resource.is_none() {
        return;
    }
    let caller = Caller::Session {
        account: "123456789012".to_owned(),
        role: "worker".to_owned(),
        session: "one".to_owned(),
    };
    let context = RequestContext::new();
    let request = Request { caller: &caller, action, resource, context: &context };
    let identity: Vec<Policy> = policy.into_iter().collect();
    let policies = Policies { identity: &identity, resource: on_resource.as_ref(), ..Policies::default() };
    assert!(!decide(&policies, request).because.is_empty());
    let Ok(nothing) = Policy::from_json(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#,
    ) else {
        panic!("the deny of everything parses");
    };
    let denied = Policies { boundary: Some(&nothing), ..policies };
    assert_eq!(decide(&denied, request).effect, Effect::Deny);
});
