//! `iam_cases SEED COUNT`: made-up requests with their policies and our
//! decision on each, one JSON object a line, for other evaluators to judge
//! (tests/iam). The same seed gives the same lines.

#![expect(clippy::print_stdout, reason = "a program of its own: this is its output")]

use minilab_local::iam::{Caller, Policies, Policy, Request, RequestContext, ResourcePolicy, decide};
use serde_json::{Map, Value, json};

const ACCOUNT: &str = "123456789012";

/// `SplitMix64`: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn some<'a>(&mut self, from: &[&'a str]) -> Vec<&'a str> {
        (0..=self.below(3)).map(|_| self.of(from)).collect()
    }
}

/// Values of one condition key: what requests have, and what policies compare
/// with, by operator.
struct Key {
    name: &'static str,
    /// Only requests for this action carry it.
    only: Option<&'static str>,
    several: bool,
    values: &'static [&'static str],
    operators: &'static [&'static str],
    operands: &'static [&'static str],
}

const TEXT: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];

const KEYS: &[Key] = &[
    Key {
        name: "aws:PrincipalTag/team",
        only: None,
        several: false,
        values: &["print", "Print", "scan", "pr*", ""],
        operators: TEXT,
        operands: &[
            "print",
            "PRINT",
            "pr*",
            "*",
            "s?an",
            "${aws:username}",
            "${aws:username, 'print'}",
            "pr${*}",
        ],
    },
    Key {
        name: "s3:prefix",
        only: Some("s3:ListBucket"),
        several: false,
        values: &["", "up/", "up/a/b", "UP/", "alice/x"],
        operators: TEXT,
        operands: &["", "up/*", "up/", "*", "?p/", "${aws:username}/*", "${aws:PrincipalTag/team}/*"],
    },
    Key {
        name: "s3:max-keys",
        only: Some("s3:ListBucket"),
        several: false,
        values: &["0", "10", "11", "1000"],
        operators: &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        operands: &["10", "11", "10.0", "100"],
    },
    Key {
        name: "aws:CurrentTime",
        only: None,
        several: false,
        values: &["2026-01-01T00:00:00Z", "2026-06-01T12:00:00Z"],
        operators: &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        operands: &["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "1767225600"],
    },
    Key {
        name: "aws:SecureTransport",
        only: None,
        several: false,
        values: &["true", "false"],
        operators: &["Bool"],
        operands: &["true", "false"],
    },
    Key {
        name: "aws:SourceIp",
        only: None,
        several: false,
        values: &["203.0.113.9", "198.51.100.1", "2001:db8::1"],
        operators: &["IpAddress", "NotIpAddress"],
        operands: &["203.0.113.0/24", "203.0.113.9", "2001:db8::/32", "198.51.100.1/32", "0.0.0.0/0"],
    },
    Key {
        name: "aws:SourceArn",
        only: None,
        several: false,
        values: &["arn:aws:s3:::film", "arn:aws:sns:eu-west-1:123456789012:topic"],
        operators: &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        operands: &[
            "arn:aws:s3:::film",
            "arn:aws:s3:::*",
            "arn:aws:*:*:*:topic",
            "arn:aws:sns:*:123456789012:t*",
            "arn:aws:s3:::fil?",
        ],
    },
    Key {
        name: "aws:TagKeys",
        only: None,
        several: true,
        values: &["red", "green", "blue"],
        operators: &[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
        ],
        operands: &["red", "green", "*", "gr*", "RED"],
    },
];

const ACTIONS: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];
const ACTION_PATTERNS: &[&str] = &[
    "*",
    "s3:*",
    "s3:Get*",
    "s3:*Object",
    "S3:getobject",
    "s3:PutObject",
    "s3:ListBucket",
    "s3:?etObject",
    "sqs:*",
];
const OBJECTS: &[&str] = &[
    "arn:aws:s3:::film/a.jpg",
    "arn:aws:s3:::film/alice/a:b.jpg",
    "arn:aws:s3:::film/print/x",
    "arn:aws:s3:::paper/A.jpg",
    "arn:aws:s3:::film/a/b/c",
];
const BUCKETS: &[&str] = &["arn:aws:s3:::film", "arn:aws:s3:::paper"];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "arn:aws:s3:::film",
    "arn:aws:s3:::film/*",
    "arn:aws:s3:::film*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::paper/a.jpg",
    "arn:aws:s3:::film/?.jpg",
    "arn:aws:s3:::film/*/*",
    "arn:aws:s3:::film/${aws:username}/*",
    "arn:aws:s3:::film/${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::film/${aws:PrincipalTag/team, 'a'}/*",
    "arn:aws:s3:::${*}",
];
const PRINCIPALS: &[&str] = &[
    "*",
    ACCOUNT,
    "999999999999",
    "arn:aws:iam::123456789012:root",
    "arn:aws:iam::123456789012:user/alice",
    "arn:aws:iam::123456789012:user/bob",
    "arn:aws:iam::123456789012:role/worker",
    "arn:aws:iam::123456789012:role/other",
    "arn:aws:sts::123456789012:assumed-role/worker/one",
    "arn:aws:sts::123456789012:assumed-role/worker/two",
];

fn conditions(dice: &mut Dice, action: &str) -> Value {
    let mut block = Map::new();
    for _ in 0..=dice.below(2) {
        let key = &KEYS[dice.below(KEYS.len())];
        // A key that this action never has is another evaluator's error.
        if key.only.is_some_and(|only| only != action) {
            continue;
        }
        let base = dice.of(key.operators);
        let operator = match dice.below(8) {
            0 => "Null".to_owned(),
            1 | 2 => format!("{base}IfExists"),
            _ if key.several => format!("{}{base}", dice.of(&["ForAllValues:", "ForAnyValue:"])),
            _ => base.to_owned(),
        };
        let values = if operator == "Null" {
            json!(dice.of(&["true", "false"]))
        } else if dice.one_in(2) {
            json!(dice.of(key.operands))
        } else {
            json!(dice.some(key.operands))
        };
        // A multivalued key without a set operator is not defined.
        if key.several && !operator.contains(':') && operator != "Null" {
            continue;
        }
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        let name = if dice.one_in(6) { key.name.to_uppercase() } else { key.name.to_owned() };
        keys[name] = values;
    }
    Value::Object(block)
}

fn statement(dice: &mut Dice, action: &str, of_resource: bool) -> Value {
    let deny = dice.one_in(4);
    let mut statement = json!({ "Effect": if deny { "Deny" } else { "Allow" } });
    if of_resource {
        let not = deny && dice.one_in(4);
        let principal =
            if dice.one_in(4) && !not { json!("*") } else { json!({ "AWS": dice.some(PRINCIPALS) }) };
        statement[if not { "NotPrincipal" } else { "Principal" }] = principal;
    }
    let actions = dice.some(ACTION_PATTERNS);
    statement[if dice.one_in(6) { "NotAction" } else { "Action" }] = json!(actions);
    let resources = dice.some(RESOURCE_PATTERNS);
    statement[if dice.one_in(6) { "NotResource" } else { "Resource" }] = json!(resources);
    if dice.one_in(2) {
        let block = conditions(dice, action);
        if block.as_object().is_some_and(|block| !block.is_empty()) {
            statement["Condition"] = block;
        }
    }
    statement
}

fn document(dice: &mut Dice, action: &str, of_resource: bool) -> Value {
    let statements: Vec<Value> = (0..=dice.below(3)).map(|_| statement(dice, action, of_resource)).collect();
    let version = if dice.one_in(10) { "2008-10-17" } else { "2012-10-17" };
    json!({ "Version": version, "Statement": statements })
}

fn policy(document: &Value) -> Policy {
    Policy::parse(document).unwrap_or_else(|error| panic!("{error}: {document}"))
}

fn case(dice: &mut Dice, id: usize) -> Value {
    let action = dice.of(ACTIONS);
    let resource = dice.of(if action == "s3:ListBucket" { BUCKETS } else { OBJECTS });
    let account = ACCOUNT.to_owned();
    let (caller, arn) = match dice.below(6) {
        0 => (Caller::Anonymous, None),
        1 | 2 => {
            (Caller::User { account, name: "alice".to_owned() }, Some("arn:aws:iam::123456789012:user/alice"))
        }
        _ => (
            Caller::Session { account, role: "worker".to_owned(), session: "one".to_owned() },
            Some("arn:aws:sts::123456789012:assumed-role/worker/one"),
        ),
    };
    let mut context = RequestContext::new();
    let mut facts = Map::new();
    if matches!(caller, Caller::User { .. }) {
        context.insert("aws:username", "alice");
        facts.insert("aws:username".to_owned(), json!("alice"));
    }
    for key in KEYS {
        if key.only.is_some_and(|only| only != action) || dice.one_in(3) {
            continue;
        }
        let values = if key.several { dice.some(key.values) } else { vec![dice.of(key.values)] };
        for value in &values {
            context.insert(key.name, *value);
        }
        facts.insert(key.name.to_owned(), if key.several { json!(values) } else { json!(values[0]) });
    }
    let anonymous = caller == Caller::Anonymous;
    let session = matches!(caller, Caller::Session { .. });
    let identity: Vec<Value> = if anonymous {
        Vec::new()
    } else {
        (0..=dice.below(2)).map(|_| document(dice, action, false)).collect()
    };
    let resource_policy = (anonymous || dice.one_in(2)).then(|| document(dice, action, true));
    let session_policy = (session && dice.one_in(4)).then(|| document(dice, action, false));
    let boundary = (!anonymous && dice.one_in(5)).then(|| document(dice, action, false));

    let identities: Vec<Policy> = identity.iter().map(policy).collect();
    let on_resource = resource_policy.as_ref().map(|document| {
        ResourcePolicy::parse(document).unwrap_or_else(|error| panic!("{error}: {document}"))
    });
    let (limit, held) = (boundary.as_ref().map(policy), session_policy.as_ref().map(policy));
    let decision = decide(
        &Policies {
            identity: &identities,
            boundary: limit.as_ref(),
            session: held.as_ref(),
            resource: on_resource.as_ref(),
        },
        Request { caller: &caller, action, resource, context: &context },
    );
    json!({
        "id": id,
        "principal": arn,
        "action": action,
        "resource": resource,
        "context": facts,
        "identity": identity,
        "resource_policy": resource_policy,
        "session_policy": session_policy,
        "boundary": boundary,
        "allowed": decision.is_allowed(),
        "because": decision.because,
    })
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [seed, count] = numbers[..] else {
        eprintln!("usage: iam_cases SEED COUNT");
        std::process::exit(2);
    };
    for id in 0..count as usize {
        // Each case of its own, so that one can be made again without the others.
        let mut dice =
            Dice(seed.wrapping_mul(1_000_003).wrapping_add(id as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        println!("{}", case(&mut dice, id));
    }
}
