//! The `Condition` block: operators, their modifiers, and what each means when
//! a key is missing or has several values.
//!
//! Owns: reading a block once with every value checked for its operator's
//! type; evaluating it. Refuses: an operator it does not know, a value that
//! its operator cannot compare.
//!
//! One rule for what cannot be compared (a request value of the wrong type, a
//! variable without a value): it matches nothing, and it never makes an
//! `Allow` true by way of a negated operator.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use ipnet::IpNet;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::error::PolicyError;
use super::pattern::{ArnPattern, Pattern, Syntax};
use super::{Effect, RequestContext};

/// How several request values are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Single,
    ForAll,
    ForAny,
}

/// A policy value, ready to be compared.
#[derive(Debug, Clone)]
enum Operand {
    Text { pattern: Pattern, ignore_case: bool },
    Number(Comparison, f64),
    Date(Comparison, OffsetDateTime),
    Bool(bool),
    Binary(Vec<u8>),
    Address(IpNet),
    Arn(ArnPattern),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone)]
enum Test {
    /// `Null`: whether the key must be absent.
    Absent(bool),
    Compare {
        quantifier: Quantifier,
        if_exists: bool,
        negated: bool,
        operands: Vec<Operand>,
    },
}

/// One operator with one key: all of a statement's must hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    operator: String,
    key: String,
    /// The values as written, for the explanation.
    written: String,
    test: Test,
}

/// Reads the `Condition` of the statement at `field`.
pub(super) fn parse(field: &str, block: &Value, variables: bool) -> Result<Vec<Condition>, PolicyError> {
    let Value::Object(operators) = block else {
        return Err(PolicyError::new(
            field,
            "is not an object",
            "write {\"StringLike\": {\"s3:prefix\": \"uploads/*\"}}",
        ));
    };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let field = format!("{field}.{operator}");
        let Value::Object(keys) = keys else {
            return Err(PolicyError::new(
                &field,
                "is not an object",
                "give it a condition key with its values",
            ));
        };
        for (key, values) in keys {
            let field = format!("{field}.{key}");
            if key.is_empty() {
                return Err(PolicyError::new(
                    &field,
                    "has an empty condition key",
                    "name a key such as s3:prefix",
                ));
            }
            let values = texts(&field, values)?;
            let written = serde_json::to_string(&values).unwrap_or_default();
            let test = test(&field, operator, &values, variables)?;
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), written, test });
        }
    }
    Ok(conditions)
}

/// Values may be strings, numbers, booleans, or a list of these.
fn texts(field: &str, value: &Value) -> Result<Vec<String>, PolicyError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(PolicyError::new(
            field,
            "has a value that is no string, number or boolean",
            "write the value as a string",
        )),
    };
    match value {
        Value::Array(values) if values.is_empty() => Err(PolicyError::new(
            field,
            "has an empty list of values",
            "give at least one value, or remove the key",
        )),
        Value::Array(values) => values.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

fn test(field: &str, operator: &str, values: &[String], variables: bool) -> Result<Test, PolicyError> {
    let (quantifier, rest) = if let Some(rest) = operator.strip_prefix("ForAllValues:") {
        (Quantifier::ForAll, rest)
    } else if let Some(rest) = operator.strip_prefix("ForAnyValue:") {
        (Quantifier::ForAny, rest)
    } else {
        (Quantifier::Single, operator)
    };
    if rest == "Null" && quantifier == Quantifier::Single {
        return match values {
            [only] => Ok(Test::Absent(boolean(only).ok_or_else(|| wrong(field, only, "true or false"))?)),
            _ => Err(PolicyError::new(field, "has several values", "give Null one value, true or false")),
        };
    }
    let (base, if_exists) = match rest.strip_suffix("IfExists") {
        Some(base) => (base, true),
        None => (rest, false),
    };
    let (negated, read): (bool, Reader<'_>) = match base {
        "StringEquals" => (false, text(field, false, variables, false)),
        "StringNotEquals" => (true, text(field, false, variables, false)),
        "StringEqualsIgnoreCase" => (false, text(field, false, variables, true)),
        "StringNotEqualsIgnoreCase" => (true, text(field, false, variables, true)),
        "StringLike" => (false, text(field, true, variables, false)),
        "StringNotLike" => (true, text(field, true, variables, false)),
        "NumericEquals" => (false, number(field, Comparison::Equal)),
        "NumericNotEquals" => (true, number(field, Comparison::Equal)),
        "NumericLessThan" => (false, number(field, Comparison::Less)),
        "NumericLessThanEquals" => (false, number(field, Comparison::LessOrEqual)),
        "NumericGreaterThan" => (false, number(field, Comparison::Greater)),
        "NumericGreaterThanEquals" => (false, number(field, Comparison::GreaterOrEqual)),
        "DateEquals" => (false, date(field, Comparison::Equal)),
        "DateNotEquals" => (true, date(field, Comparison::Equal)),
        "DateLessThan" => (false, date(field, Comparison::Less)),
        "DateLessThanEquals" => (false, date(field, Comparison::LessOrEqual)),
        "DateGreaterThan" => (false, date(field, Comparison::Greater)),
        "DateGreaterThanEquals" => (false, date(field, Comparison::GreaterOrEqual)),
        "Bool" => (
            false,
            Box::new(|value| {
                boolean(value).map(Operand::Bool).ok_or_else(|| wrong(field, value, "true or false"))
            }),
        ),
        "BinaryEquals" => (
            false,
            Box::new(|value| binary(value).map(Operand::Binary).ok_or_else(|| wrong(field, value, "base64"))),
        ),
        "IpAddress" => (false, address(field)),
        "NotIpAddress" => (true, address(field)),
        "ArnEquals" | "ArnLike" => (false, arn(field, variables)),
        "ArnNotEquals" | "ArnNotLike" => (true, arn(field, variables)),
        _ => {
            return Err(PolicyError::new(
                field,
                &format!("uses the operator {operator:?}, which is not known"),
                "use one of String*, Numeric*, Date*, Bool, BinaryEquals, IpAddress, NotIpAddress, Arn*, Null, \
                 with ForAllValues:, ForAnyValue: or IfExists; capital letters count",
            ));
        }
    };
    let operands = values.iter().map(|value| read(value)).collect::<Result<_, _>>()?;
    Ok(Test::Compare { quantifier, if_exists, negated, operands })
}

type Reader<'a> = Box<dyn Fn(&str) -> Result<Operand, PolicyError> + 'a>;

fn wrong(field: &str, value: &str, wanted: &str) -> PolicyError {
    PolicyError::new(field, &format!("has the value {value:?}"), &format!("write {wanted}"))
}

fn text(field: &str, wildcards: bool, variables: bool, ignore_case: bool) -> Reader<'_> {
    Box::new(move |value| {
        let pattern = Pattern::parse(value, Syntax { wildcards, variables })
            .map_err(|problem| PolicyError::new(field, &problem, "write ${$} for a plain $"))?;
        Ok(Operand::Text { pattern, ignore_case })
    })
}

fn number(field: &str, comparison: Comparison) -> Reader<'_> {
    Box::new(move |value| {
        let number = numeric(value).ok_or_else(|| wrong(field, value, "a number"))?;
        Ok(Operand::Number(comparison, number))
    })
}

fn date(field: &str, comparison: Comparison) -> Reader<'_> {
    Box::new(move |value| {
        let moment = instant(value).ok_or_else(|| {
            wrong(field, value, "a date such as 2030-01-31T12:00:00Z, or seconds since 1970")
        })?;
        Ok(Operand::Date(comparison, moment))
    })
}

fn address(field: &str) -> Reader<'_> {
    Box::new(move |value| {
        let net = value.parse::<IpNet>().ok().or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from));
        net.map(Operand::Address)
            .ok_or_else(|| wrong(field, value, "an address range such as 203.0.113.0/24"))
    })
}

fn arn(field: &str, variables: bool) -> Reader<'_> {
    Box::new(move |value| {
        ArnPattern::parse(value, variables)
            .map(Operand::Arn)
            .map_err(|problem| PolicyError::new(field, &problem, "write an ARN such as arn:aws:s3:::bucket"))
    })
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn binary(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn numeric(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn instant(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    OffsetDateTime::parse(text, &Iso8601::PARSING)
        .ok()
        .or_else(|| time::Date::parse(text, &Iso8601::PARSING).ok().map(|date| date.midnight().assume_utc()))
}

impl Operand {
    /// Whether a request value matches; `None` when they cannot be compared.
    fn matches(&self, value: &str, context: &RequestContext) -> Option<bool> {
        match self {
            Self::Text { pattern, ignore_case } => pattern.matches(value, context, *ignore_case),
            Self::Number(comparison, number) => {
                numeric(value)?.partial_cmp(number).map(|ordering| comparison.holds(ordering))
            }
            Self::Date(comparison, moment) => Some(comparison.holds(instant(value)?.cmp(moment))),
            Self::Bool(wanted) => Some(boolean(value)? == *wanted),
            Self::Binary(wanted) => Some(binary(value)? == *wanted),
            Self::Address(net) => Some(net.contains(&value.parse::<IpAddr>().ok()?)),
            Self::Arn(pattern) => pattern.matches(value, context),
        }
    }
}

impl Condition {
    /// The condition key as written.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Operator and key, as an error's field names them.
    pub(super) fn place(&self) -> String {
        format!("{}.{}", self.operator, self.key)
    }

    /// Whether the condition holds for this request, in a statement of `effect`.
    pub(super) fn holds(&self, effect: Effect, context: &RequestContext) -> bool {
        let values = context.get(&self.key);
        let (quantifier, if_exists, negated, operands) = match &self.test {
            Test::Absent(absent) => return values.is_empty() == *absent,
            Test::Compare { quantifier, if_exists, negated, operands } => {
                (*quantifier, *if_exists, *negated, operands)
            }
        };
        if values.is_empty() {
            return match quantifier {
                _ if if_exists => true,
                Quantifier::Single => negated,
                Quantifier::ForAll => true,
                Quantifier::ForAny => false,
            };
        }
        let passes = |value: &String| {
            let mut incomparable = false;
            for operand in operands {
                match operand.matches(value, context) {
                    Some(true) => return !negated,
                    Some(false) => {}
                    None => incomparable = true,
                }
            }
            negated && !(incomparable && effect == Effect::Allow)
        };
        match quantifier {
            // A single-valued key that arrives with several values: a negated
            // operator must hold for each, a plain one for any.
            Quantifier::Single if negated => values.iter().all(passes),
            Quantifier::ForAll => values.iter().all(passes),
            Quantifier::Single | Quantifier::ForAny => values.iter().any(passes),
        }
    }

    /// Why it did not hold, in words.
    pub(super) fn explain(&self, context: &RequestContext) -> String {
        let values = context.get(&self.key);
        let has = if values.is_empty() {
            "the request does not carry it".to_owned()
        } else {
            format!("the request has {}", values.join(", "))
        };
        format!("{} {} {}: {has}", self.operator, self.key, self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(effect: Effect, block: &Value, context: &RequestContext) -> bool {
        parse("Condition", block, true).unwrap().iter().all(|condition| condition.holds(effect, context))
    }

    fn with(key: &str, values: &[&str]) -> RequestContext {
        values.iter().fold(RequestContext::new(), |context, value| context.with(key, *value))
    }

    #[test]
    fn operators_follow_the_documentation() {
        for (operator, policy, request, expected) in [
            ("StringEquals", json!(["a", "b"]), &["b"][..], true),
            ("StringEquals", json!("a*"), &["ab"], false),
            ("StringEquals", json!("A"), &["a"], false),
            ("StringEquals", json!("a"), &[], false),
            ("StringNotEquals", json!(["a", "b"]), &["b"], false),
            ("StringNotEquals", json!(["a", "b"]), &["c"], true),
            ("StringNotEquals", json!("a"), &[], true),
            ("StringEqualsIgnoreCase", json!("A"), &["a"], true),
            ("StringNotEqualsIgnoreCase", json!("A"), &["a"], false),
            ("StringLike", json!("up/*"), &["up/x"], true),
            ("StringLike", json!("up/?"), &["up/xy"], false),
            ("StringNotLike", json!("up/*"), &["up/x"], false),
            ("StringEqualsIfExists", json!("a"), &[], true),
            ("StringEqualsIfExists", json!("a"), &["b"], false),
            ("NumericLessThanEquals", json!(10), &["10"], true),
            ("NumericLessThan", json!("10"), &["10"], false),
            ("NumericGreaterThan", json!("10"), &["10.5"], true),
            ("NumericEquals", json!("10"), &["ten"], false),
            ("NumericNotEquals", json!("10"), &["ten"], false),
            ("DateGreaterThan", json!("2026-01-01T00:00:00Z"), &["2026-06-01T00:00:00Z"], true),
            ("DateLessThan", json!("2026-01-01"), &["2026-06-01T00:00:00Z"], false),
            ("DateEquals", json!("1970-01-01T00:01:00Z"), &["60"], true),
            ("Bool", json!(true), &["true"], true),
            ("Bool", json!("false"), &["false"], true),
            ("Bool", json!("false"), &["true"], false),
            ("Bool", json!("false"), &[], false),
            ("BinaryEquals", json!("QQ=="), &["QQ=="], true),
            ("IpAddress", json!("203.0.113.0/24"), &["203.0.113.9"], true),
            ("IpAddress", json!("2001:db8::/32"), &["2001:db8::1"], true),
            ("IpAddress", json!("203.0.113.0/24"), &["198.51.100.1"], false),
            ("NotIpAddress", json!("203.0.113.0/24"), &["203.0.113.9"], false),
            ("NotIpAddress", json!("203.0.113.0/24"), &["nonsense"], false),
            ("ArnLike", json!("arn:aws:s3:::b*"), &["arn:aws:s3:::bucket"], true),
            ("ArnEquals", json!("arn:aws:s3:::b*"), &["arn:aws:s3:::bucket"], true),
            ("ArnNotLike", json!("arn:aws:s3:::b*"), &["arn:aws:s3:::bucket"], false),
            ("Null", json!("true"), &[], true),
            ("Null", json!(false), &[], false),
            ("Null", json!("false"), &["x"], true),
            ("ForAllValues:StringEquals", json!(["a", "b"]), &["a", "b"], true),
            ("ForAllValues:StringEquals", json!(["a", "b"]), &["a", "c"], false),
            ("ForAllValues:StringEquals", json!(["a"]), &[], true),
            ("ForAnyValue:StringEquals", json!(["a", "b"]), &["c", "b"], true),
            ("ForAnyValue:StringEquals", json!(["a"]), &[], false),
            ("ForAllValues:StringNotEquals", json!(["a"]), &["b", "a"], false),
            ("ForAnyValue:StringNotEquals", json!(["a"]), &["b", "a"], true),
        ] {
            let block = json!({ operator: { "k:K": policy } });
            let context = with("K:k", request);
            assert_eq!(holds(Effect::Allow, &block, &context), expected, "{block} against {request:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_denies_by_a_negated_operator_and_never_allows() {
        let block = json!({ "NumericNotEquals": { "k": "10" } });
        assert!(!holds(Effect::Allow, &block, &with("k", &["ten"])));
        assert!(holds(Effect::Deny, &block, &with("k", &["ten"])));
        let unresolved = json!({ "StringNotEquals": { "k": "${aws:username}" } });
        assert!(!holds(Effect::Allow, &unresolved, &with("k", &["x"])));
    }

    #[test]
    fn an_unknown_operator_or_a_wrong_value_is_refused_by_name() {
        for (block, word) in [
            (json!({ "StringMatches": { "k": "v" } }), "StringMatches"),
            (json!({ "stringequals": { "k": "v" } }), "capital letters"),
            (json!({ "NullIfExists": { "k": "true" } }), "NullIfExists"),
            (json!({ "NumericEquals": { "k": "v" } }), "a number"),
            (json!({ "DateEquals": { "k": "soon" } }), "a date"),
            (json!({ "Bool": { "k": "yes" } }), "true or false"),
            (json!({ "IpAddress": { "k": "300.1.1.1" } }), "address range"),
            (json!({ "ArnLike": { "k": "bucket" } }), "ARN"),
            (json!({ "StringEquals": { "k": [] } }), "empty list"),
            (json!({ "StringEquals": { "k": null } }), "string"),
            (json!({ "StringEquals": "v" }), "object"),
            (json!([]), "object"),
        ] {
            let error = parse("Statement[0].Condition", &block, true).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("Statement[0].Condition"), "{block}: {error}");
        }
    }
}
