//! Policies of identities and of resources: reading a policy document into
//! something that can only mean what it says.
//!
//! Owns: the grammar of both. Refuses: every field, operator or
//! value that it does not know, naming it and the remedy, because a policy that
//! is half understood grants or withholds the wrong thing.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use serde_json::{Map, Value};

use super::condition::{self, Condition};
use super::error::PolicyError;
use super::pattern::{ArnPattern, Pattern, Syntax};
use super::principal::{Caller, Named, Principals};
use super::{Effect, RequestContext};

/// A policy of an identity (also a boundary, or a session's), understood in full.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

/// A policy of a resource, such as a bucket policy, understood in full: each
/// statement says whom it means.
#[derive(Debug, Clone)]
pub struct ResourcePolicy {
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// How people call it: its Sid, or its place.
    pub(super) label: String,
    pub(super) effect: Effect,
    /// `None` in an identity's policy, which speaks of that identity.
    principals: Option<Principals>,
    actions: Patterns<Pattern>,
    resources: Patterns<ArnPattern>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
struct Patterns<T> {
    field: &'static str,
    negated: bool,
    /// As written, for the explanation.
    written: Vec<String>,
    read: Vec<T>,
}

/// Why a statement does not speak about a request; ordered by how near it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    Action,
    Principal(String),
    Resource(String),
    Condition(String),
}

impl Policy {
    /// Reads a policy document from JSON text.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::parse(&json(text)?)
    }

    /// Reads a policy document.
    pub fn parse(document: &Value) -> Result<Self, PolicyError> {
        Ok(Self { statements: statements(document, Statement::of_identity)? })
    }

    /// Refuses a condition key that is not one of `keys`, in any statement that
    /// may speak of their service.
    pub(crate) fn asking_for(self, keys: &ConditionKeys) -> Result<Self, PolicyError> {
        check_keys(&self.statements, keys).map(|()| self)
    }
}

impl ResourcePolicy {
    /// Reads a policy document from JSON text.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::parse(&json(text)?)
    }

    /// Reads a policy document.
    pub fn parse(document: &Value) -> Result<Self, PolicyError> {
        Ok(Self { statements: statements(document, Statement::of_resource)? })
    }

    /// As [`Policy::asking_for`].
    pub(crate) fn asking_for(self, keys: &ConditionKeys) -> Result<Self, PolicyError> {
        check_keys(&self.statements, keys).map(|()| self)
    }

    /// Every `Resource` and `NotResource` as written, so that whoever keeps the
    /// policy can refuse one that speaks of another resource.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| &statement.resources.written).map(String::as_str)
    }

    /// Every `Action` and `NotAction` as written.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| &statement.actions.written).map(String::as_str)
    }
}

fn json(text: &str) -> Result<Value, PolicyError> {
    serde_json::from_str(text).map_err(|error| {
        PolicyError::new("document", &format!("is not JSON ({error})"), "write a JSON object")
    })
}

fn statements(
    document: &Value,
    read: impl Fn(usize, &Value, bool) -> Result<Statement, PolicyError>,
) -> Result<Vec<Statement>, PolicyError> {
    let Value::Object(fields) = document else {
        return Err(PolicyError::new(
            "document",
            "is not an object",
            "write {\"Version\": \"2012-10-17\", \"Statement\": […]}",
        ));
    };
    known_fields("", fields, &["Version", "Id", "Statement"])?;
    // Without a Version the older language is meant, which has no variables.
    let variables = match fields.get("Version") {
        None => false,
        Some(Value::String(version)) if version == "2012-10-17" => true,
        Some(Value::String(version)) if version == "2008-10-17" => false,
        Some(other) => {
            return Err(PolicyError::new("Version", &format!("is {other}"), "write \"2012-10-17\""));
        }
    };
    if fields.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(PolicyError::new("Id", "is not a string", "write a string or remove it"));
    }
    let statements = match fields.get("Statement") {
        None => {
            return Err(PolicyError::new("Statement", "is missing", "give one statement or a list of them"));
        }
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(index, statement)| read(index, statement, variables))
            .collect::<Result<Vec<_>, _>>()?,
        Some(single) => vec![read(0, single, variables)?],
    };
    let mut labels = std::collections::HashSet::new();
    for (index, statement) in statements.iter().enumerate() {
        if !labels.insert(&statement.label) {
            return Err(PolicyError::new(
                &format!("Statement[{index}].Sid"),
                &format!("{} stands there twice", statement.label),
                "give each statement a Sid of its own",
            ));
        }
    }
    Ok(statements)
}

/// The condition keys that requests to a service have.
pub(crate) struct ConditionKeys {
    /// As actions name it, before their colon.
    pub(crate) service: &'static str,
    pub(crate) is_known: fn(&str) -> bool,
    /// All of them, for people.
    pub(crate) names: fn() -> String,
}

fn check_keys(statements: &[Statement], keys: &ConditionKeys) -> Result<(), PolicyError> {
    let unknown = statements.iter().enumerate().find_map(|(index, statement)| {
        let unknown = statement.conditions.iter().find(|condition| !(keys.is_known)(condition.key()));
        unknown.filter(|_| statement.may_speak_of(keys.service)).map(|condition| (index, condition))
    });
    match unknown {
        None => Ok(()),
        Some((index, condition)) => Err(PolicyError::new(
            &format!("Statement[{index}].Condition.{}", condition.place()),
            "asks for a condition key that no request here has, so the statement would not do what it says",
            &format!("remove it; known are {}", (keys.names)()),
        )),
    }
}

fn known_fields(prefix: &str, fields: &Map<String, Value>, known: &[&str]) -> Result<(), PolicyError> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(PolicyError::new(
            &format!("{prefix}{field}"),
            "is not a field of this kind of policy",
            &format!("remove it; known are {}", known.join(", ")),
        )),
    }
}

const FIELDS: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Statement {
    fn of_identity(index: usize, statement: &Value, variables: bool) -> Result<Self, PolicyError> {
        Self::parse(index, statement, variables, &FIELDS, |_, _, _| Ok(None))
    }

    fn of_resource(index: usize, statement: &Value, variables: bool) -> Result<Self, PolicyError> {
        let known = [&["Principal", "NotPrincipal"], &FIELDS[..]].concat();
        Self::parse(index, statement, variables, &known, |at, fields, effect| {
            Principals::parse(at, fields, effect).map(Some)
        })
    }

    fn parse(
        index: usize,
        statement: &Value,
        variables: bool,
        known: &[&str],
        principals: impl Fn(&str, &Map<String, Value>, Effect) -> Result<Option<Principals>, PolicyError>,
    ) -> Result<Self, PolicyError> {
        let at = format!("Statement[{index}]");
        let Value::Object(fields) = statement else {
            return Err(PolicyError::new(
                &at,
                "is not an object",
                "write {\"Effect\": …, \"Action\": …, \"Resource\": …}",
            ));
        };
        known_fields(&format!("{at}."), fields, known)?;
        let label = match fields.get("Sid") {
            None => format!("statement {}", index + 1),
            Some(Value::String(sid)) if sid.is_empty() => format!("statement {}", index + 1),
            Some(Value::String(sid)) if sid.chars().all(|character| character.is_ascii_alphanumeric()) => {
                format!("statement {sid:?}")
            }
            Some(other) => {
                return Err(PolicyError::new(
                    &format!("{at}.Sid"),
                    &format!("is {other}"),
                    "use letters and digits only",
                ));
            }
        };
        let effect = match fields.get("Effect") {
            Some(Value::String(effect)) if effect == "Allow" => Effect::Allow,
            Some(Value::String(effect)) if effect == "Deny" => Effect::Deny,
            None => {
                return Err(PolicyError::new(
                    &format!("{at}.Effect"),
                    "is missing",
                    "write \"Allow\" or \"Deny\"",
                ));
            }
            Some(other) => {
                return Err(PolicyError::new(
                    &format!("{at}.Effect"),
                    &format!("is {other}"),
                    "write \"Allow\" or \"Deny\"",
                ));
            }
        };
        let principals = principals(&at, fields, effect)?;
        let actions = Patterns::parse(&at, fields, ["Action", "NotAction"], |text| {
            let shaped = text == "*"
                || text.split_once(':').is_some_and(|(service, name)| {
                    !service.is_empty()
                        && !service.contains(['*', '?'])
                        && !name.is_empty()
                        && !name.contains(':')
                });
            if !shaped {
                return Err((
                    format!("{text:?} is not an action"),
                    "write service:Name such as s3:GetObject, or *",
                ));
            }
            Pattern::parse(text, Syntax { wildcards: true, variables: false })
                .map_err(|problem| (problem, "write service:Name such as s3:GetObject, or *"))
        })?;
        let resources = Patterns::parse(&at, fields, ["Resource", "NotResource"], |text| {
            ArnPattern::parse(text, variables).map_err(|problem| {
                (problem, "write an ARN such as arn:aws:s3:::bucket/*, with variables only after the fifth colon, or *")
            })
        })?;
        let conditions = match fields.get("Condition") {
            None => Vec::new(),
            Some(block) => condition::parse(&format!("{at}.Condition"), block, variables)?,
        };
        Ok(Self { label, effect, principals, actions, resources, conditions })
    }

    /// Whether actions of `service` may be among those that are meant.
    fn may_speak_of(&self, service: &str) -> bool {
        self.actions.negated
            || self.actions.written.iter().any(|action| {
                action.split_once(':').is_none_or(|(named, _)| named.eq_ignore_ascii_case(service))
            })
    }

    /// By which name this statement speaks of the caller's request, or what it
    /// missed by. `bounded`: the caller has a permissions boundary.
    pub(super) fn speaks(
        &self,
        action: &str,
        resource: &str,
        context: &RequestContext,
        caller: &Caller,
        bounded: bool,
    ) -> Result<Named, Miss> {
        if !self.actions.cover(self.effect, |pattern| pattern.matches(action, context, true)) {
            return Err(Miss::Action);
        }
        let named = match &self.principals {
            None => Named::Directly,
            Some(principals) => principals
                .name(caller, bounded)
                .ok_or_else(|| Miss::Principal(format!("its {}", principals.written)))?,
        };
        if !self.resources.cover(self.effect, |pattern| pattern.matches(resource, context)) {
            return Err(Miss::Resource(format!(
                "its {} is {}",
                self.resources.field,
                self.resources.written.join(", ")
            )));
        }
        match self.conditions.iter().find(|condition| !condition.holds(self.effect, context)) {
            None => Ok(named),
            Some(failed) => Err(Miss::Condition(format!("its condition fails, {}", failed.explain(context)))),
        }
    }
}

impl<T> Patterns<T> {
    fn parse(
        at: &str,
        fields: &Map<String, Value>,
        [plain, not]: [&'static str; 2],
        parse: impl Fn(&str) -> Result<T, (String, &'static str)>,
    ) -> Result<Self, PolicyError> {
        let (field, negated, value) = match (fields.get(plain), fields.get(not)) {
            (Some(value), None) => (plain, false, value),
            (None, Some(value)) => (not, true, value),
            (Some(_), Some(_)) => {
                return Err(PolicyError::new(
                    &format!("{at}.{not}"),
                    &format!("stands beside {plain}"),
                    "keep one of the two",
                ));
            }
            (None, None) => {
                return Err(PolicyError::new(
                    &format!("{at}.{plain}"),
                    "is missing",
                    &format!("name what the statement is about in {plain} or {not}"),
                ));
            }
        };
        let at = format!("{at}.{field}");
        let texts = match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(list) if list.is_empty() => {
                return Err(PolicyError::new(&at, "is an empty list", "give at least one"));
            }
            Value::Array(list) => list
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(PolicyError::new(&at, &format!("holds {other}"), "write strings only")),
                })
                .collect::<Result<_, _>>()?,
            other => {
                return Err(PolicyError::new(
                    &at,
                    &format!("is {other}"),
                    "write a string or a list of strings",
                ));
            }
        };
        let read = texts
            .iter()
            .map(|text| parse(text).map_err(|(problem, remedy)| PolicyError::new(&at, &problem, remedy)))
            .collect::<Result<_, _>>()?;
        Ok(Self { field, negated, written: texts, read })
    }

    /// Whether the request lies within. A pattern whose variable has no value
    /// matches nothing, and an `Allow` with such a `Not…` says nothing.
    fn cover(&self, effect: Effect, matches: impl Fn(&T) -> Option<bool>) -> bool {
        let mut incomparable = false;
        for pattern in &self.read {
            match matches(pattern) {
                Some(true) => return !self.negated,
                Some(false) => {}
                None => incomparable = true,
            }
        }
        self.negated && !(incomparable && effect == Effect::Allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_statement_or_a_list_is_read() {
        let statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
        assert_eq!(Policy::parse(&json!({ "Statement": statement })).unwrap().statements.len(), 1);
        let two = json!({ "Version": "2012-10-17", "Statement": [statement, statement] });
        assert_eq!(Policy::parse(&two).unwrap().statements.len(), 2);
    }

    #[test]
    fn errors_name_the_field_and_the_remedy() {
        let ok = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
        let with = |field: &str, value: Value| {
            let mut statement = ok.clone();
            statement[field] = value;
            json!({ "Version": "2012-10-17", "Statement": [ok, statement] })
        };
        let without = |field: &str| {
            let mut statement = ok.clone();
            statement.as_object_mut().unwrap().remove(field);
            json!({ "Statement": statement })
        };
        for (document, field, remedy) in [
            (json!([]), "document", "Statement"),
            (json!({}), "Statement", "list"),
            (json!({ "Version": "2011-01-01", "Statement": ok }), "Version", "2012-10-17"),
            (json!({ "Statements": ok }), "Statements", "remove"),
            (without("Effect"), "Statement[0].Effect", "Allow"),
            (without("Action"), "Statement[0].Action", "NotAction"),
            (without("Resource"), "Statement[0].Resource", "NotResource"),
            (with("Effect", json!("allow")), "Statement[1].Effect", "Deny"),
            (with("Principal", json!("*")), "Statement[1].Principal", "remove"),
            (with("NotAction", json!("s3:Get*")), "Statement[1].NotAction", "keep one"),
            (with("Action", json!("GetObject")), "Statement[1].Action", "service:Name"),
            (with("Action", json!("*:GetObject")), "Statement[1].Action", "service:Name"),
            (with("Action", json!([])), "Statement[1].Action", "at least one"),
            (with("Action", json!([1])), "Statement[1].Action", "strings"),
            (with("Resource", json!("bucket/*")), "Statement[1].Resource", "arn:aws:s3:::bucket/*"),
            (with("Sid", json!("no spaces")), "Statement[1].Sid", "letters"),
            (with("Condition", json!({ "Foo": { "k": "v" } })), "Statement[1].Condition.Foo.k", "Numeric"),
        ] {
            let error = Policy::parse(&document).unwrap_err();
            assert_eq!(error.field(), field, "{error}");
            assert!(error.to_string().contains(remedy), "{error}");
        }
    }

    #[test]
    fn a_sid_that_stands_twice_is_refused() {
        let statement = json!({ "Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*" });
        let error = Policy::parse(&json!({ "Statement": [statement, statement] })).unwrap_err();
        assert_eq!(error.field(), "Statement[1].Sid");
    }
}
