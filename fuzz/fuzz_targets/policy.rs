//! Any text as a policy, and any request of it: what is not allowed in words
//! is denied, and a deny of everything wins over whatever is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_local::iam::{Effect, Policy, Request, RequestContext, decide};

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, action, resource) = input;
    let Ok(policy) = Policy::from_json(text) else { return };
    let context = RequestContext::new();
    let request = Request { action, resource, context: &context };
    let decision = decide(std::slice::from_ref(&policy), request);
    assert!(!decision.because.is_empty());
    let Ok(nothing) = Policy::from_json(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#,
    ) else {
        panic!("the deny of everything parses");
    };
    assert_eq!(decide(&[policy, nothing], request).effect, Effect::Deny);
});
