//! Who asks, and whom a resource policy means.
//!
//! Owns: the callers of one account, and the `Principal` and `NotPrincipal`
//! elements. Refuses: a wildcard inside a principal, which IAM does not know;
//! `NotPrincipal` beside `Allow`, which is not supported.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>.

use serde_json::{Map, Value};

use super::Effect;
use super::error::PolicyError;

/// Who sends a request. Every caller with an account is of the account that
/// owns the resource: requests across accounts are not decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody signed the request.
    Anonymous,
    /// The root user of the account.
    Root {
        /// 12 digits.
        account: String,
    },
    /// An IAM user.
    User {
        /// 12 digits.
        account: String,
        /// The name with its path, for example `team/alice`.
        name: String,
    },
    /// A session of a role.
    Session {
        /// 12 digits.
        account: String,
        /// The role's name without its path.
        role: String,
        /// The session's name.
        session: String,
    },
    /// A service of the provider, for example `logging.s3.amazonaws.com`.
    Service(String),
}

/// By which of its names a caller is meant; ordered by how directly. A grant
/// to a role is limited by session policies and boundaries, a direct one is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Account,
    Role,
    Directly,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Everyone,
    Account(String),
    /// The name without its path: a session's ARN does not carry it.
    Role {
        account: String,
        name: String,
    },
    Session {
        account: String,
        role: String,
        session: String,
    },
    User {
        account: String,
        name: String,
    },
    Service(String),
    /// Canonical users and federations: understood, and never the caller here.
    Elsewhere,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub(super) struct Principals {
    negated: bool,
    names: Vec<Name>,
    /// As written, for the explanation.
    pub(super) written: String,
}

impl Principals {
    /// Reads the element of the statement at `at`.
    pub(super) fn parse(at: &str, fields: &Map<String, Value>, effect: Effect) -> Result<Self, PolicyError> {
        let (field, negated, value) = match (fields.get("Principal"), fields.get("NotPrincipal")) {
            (Some(value), None) => ("Principal", false, value),
            (None, Some(value)) => ("NotPrincipal", true, value),
            (Some(_), Some(_)) => {
                return Err(PolicyError::new(
                    &format!("{at}.NotPrincipal"),
                    "stands beside Principal",
                    "keep one of the two",
                ));
            }
            (None, None) => {
                return Err(PolicyError::new(
                    &format!("{at}.Principal"),
                    "is missing",
                    "a resource policy says whom it means: write \"*\" or {\"AWS\": \"arn:aws:iam::…\"}",
                ));
            }
        };
        let at = format!("{at}.{field}");
        if negated && effect == Effect::Allow {
            return Err(PolicyError::new(
                &at,
                "stands in an Allow, which would let everyone else in",
                "deny with NotPrincipal, or name who is allowed in Principal",
            ));
        }
        let names = match value {
            Value::String(text) if text == "*" => vec![Name::Everyone],
            Value::Object(kinds) if !kinds.is_empty() => kinds
                .iter()
                .map(|(kind, value)| names(&format!("{at}.{kind}"), kind, value))
                .collect::<Result<Vec<_>, _>>()?
                .concat(),
            other => {
                return Err(PolicyError::new(
                    &at,
                    &format!("is {other}"),
                    "write \"*\", or {\"AWS\": …} with account numbers and ARNs",
                ));
            }
        };
        Ok(Self { negated, names, written: format!("{field} is {value}") })
    }

    /// How the statement names `caller`, or that it does not. `bounded`: the
    /// caller has a permissions boundary, which no `NotPrincipal` excepts.
    pub(super) fn name(&self, caller: &Caller, bounded: bool) -> Option<Named> {
        let named = |wanted: Named| {
            self.names.iter().filter_map(|name| name.matches(caller)).any(|found| found == wanted)
        };
        if !self.negated {
            return self.names.iter().filter_map(|name| name.matches(caller)).max();
        }
        // The account is looked at first, then the user or role within: each
        // must be excepted, or the caller is denied. A caller with a boundary
        // is denied whatever is listed, `*` included.
        let listed = self.names.contains(&Name::Everyone)
            || match caller {
                Caller::Anonymous | Caller::Root { .. } | Caller::Service(_) => named(Named::Directly),
                Caller::User { .. } => named(Named::Account) && named(Named::Directly),
                Caller::Session { .. } => named(Named::Account) && named(Named::Role),
            };
        (bounded || !listed).then_some(Named::Directly)
    }
}

impl Name {
    fn matches(&self, caller: &Caller) -> Option<Named> {
        let named = match (self, caller) {
            (Self::Everyone, _) => Named::Directly,
            (Self::Account(account), Caller::Root { account: caller }) if account == caller => {
                Named::Directly
            }
            (
                Self::Account(account),
                Caller::User { account: caller, .. } | Caller::Session { account: caller, .. },
            ) if account == caller => Named::Account,
            (Self::User { account, name }, Caller::User { account: of, name: caller })
                if account == of && name == caller =>
            {
                Named::Directly
            }
            (Self::Role { account, name }, Caller::Session { account: of, role, .. })
                if account == of && name == role =>
            {
                Named::Role
            }
            (
                Self::Session { account, role, session },
                Caller::Session { account: of, role: caller, session: name },
            ) if account == of && role == caller && session == name => Named::Directly,
            (Self::Service(service), Caller::Service(caller)) if service == caller => Named::Directly,
            _ => return None,
        };
        Some(named)
    }
}

fn names(at: &str, kind: &str, value: &Value) -> Result<Vec<Name>, PolicyError> {
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(list) if !list.is_empty() => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || value.as_array().is_some_and(|list| list.len() != texts.len()) {
        return Err(PolicyError::new(at, &format!("is {value}"), "write a string or a list of strings"));
    }
    let read = |text: &str| match kind {
        "AWS" => aws(text),
        "Service" => service(text),
        "CanonicalUser" | "Federated" if !text.is_empty() && !text.contains(['*', '?']) => {
            Some(Name::Elsewhere)
        }
        _ => None,
    };
    if !matches!(kind, "AWS" | "Service" | "CanonicalUser" | "Federated") {
        return Err(PolicyError::new(
            at,
            "is no kind of principal",
            "use AWS, Service, CanonicalUser or Federated",
        ));
    }
    texts
        .into_iter()
        .map(|text| {
            read(text).ok_or_else(|| {
                PolicyError::new(
                    at,
                    &format!("holds {text:?}, which names no principal"),
                    "write 12 digits, or the whole ARN of an account, role, session or user; \
                     * stands for everyone and for no part of a name",
                )
            })
        })
        .collect()
}

fn service(text: &str) -> Option<Name> {
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
    (text.contains('.') && text.chars().all(plain)).then(|| Name::Service(text.to_owned()))
}

fn account(text: &str) -> Option<String> {
    (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

fn aws(text: &str) -> Option<Name> {
    if text == "*" {
        return Some(Name::Everyone);
    }
    if let Some(account) = account(text) {
        return Some(Name::Account(account));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", of, resource] = parts[..] else { return None };
    let plain = |character: char| character.is_ascii_alphanumeric() || "+=,.@_/-".contains(character);
    if partition.is_empty() || !resource.chars().all(plain) {
        return None;
    }
    let account = account(of)?;
    let filled = |name: &str| !name.is_empty() && !name.ends_with('/');
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => Some(Name::Account(account)),
        ("iam", Some(("user", name))) if filled(name) => Some(Name::User { account, name: name.to_owned() }),
        ("iam", Some(("role", path))) if filled(path) => {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            Some(Name::Role { account, name })
        }
        ("sts", Some(("assumed-role", rest))) => {
            let (role, session) = rest.split_once('/')?;
            let whole = filled(role) && filled(session) && !session.contains('/');
            whole.then(|| Name::Session { account, role: role.to_owned(), session: session.to_owned() })
        }
        ("sts", Some(("federated-user", name))) if filled(name) => Some(Name::Elsewhere),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNT: &str = "123456789012";

    fn parse(field: &str, value: &Value, effect: Effect) -> Result<Principals, PolicyError> {
        let statement = json!({ field: value });
        Principals::parse("Statement[0]", statement.as_object().unwrap(), effect)
    }

    fn callers() -> [Caller; 5] {
        let account = ACCOUNT.to_owned();
        [
            Caller::Anonymous,
            Caller::Root { account: account.clone() },
            Caller::User { account: account.clone(), name: "team/alice".to_owned() },
            Caller::Session { account, role: "worker".to_owned(), session: "one".to_owned() },
            Caller::Service("logging.s3.amazonaws.com".to_owned()),
        ]
    }

    #[test]
    fn a_principal_names_the_callers_that_the_user_guide_says() {
        use Named::{Account, Directly, Role};
        for (value, expected) in [
            (json!("*"), [Some(Directly); 5]),
            (json!({ "AWS": "*" }), [Some(Directly); 5]),
            (json!({ "AWS": ACCOUNT }), [None, Some(Directly), Some(Account), Some(Account), None]),
            (
                json!({ "AWS": "arn:aws:iam::123456789012:root" }),
                [None, Some(Directly), Some(Account), Some(Account), None],
            ),
            (json!({ "AWS": "999999999999" }), [None; 5]),
            (
                json!({ "AWS": "arn:aws:iam::123456789012:user/team/alice" }),
                [None, None, Some(Directly), None, None],
            ),
            (json!({ "AWS": "arn:aws:iam::123456789012:user/alice" }), [None; 5]),
            (json!({ "AWS": "arn:aws:iam::123456789012:user/team/Alice" }), [None; 5]),
            (json!({ "AWS": "arn:aws:iam::123456789012:role/worker" }), [None, None, None, Some(Role), None]),
            (
                json!({ "AWS": "arn:aws:iam::123456789012:role/a/b/worker" }),
                [None, None, None, Some(Role), None],
            ),
            (
                json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker/one" }),
                [None, None, None, Some(Directly), None],
            ),
            (json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker/two" }), [None; 5]),
            (json!({ "Service": "logging.s3.amazonaws.com" }), [None, None, None, None, Some(Directly)]),
            (json!({ "CanonicalUser": "79a59df900b949e5" }), [None; 5]),
            (
                json!({ "AWS": ["999999999999", "arn:aws:iam::123456789012:role/worker", ACCOUNT] }),
                [None, Some(Directly), Some(Account), Some(Role), None],
            ),
        ] {
            let principals = parse("Principal", &value, Effect::Allow).unwrap();
            for (caller, expected) in callers().iter().zip(expected) {
                assert_eq!(principals.name(caller, true), expected, "{value} for {caller:?}");
            }
        }
    }

    /// "When you use `NotPrincipal` with `Deny`, you must also specify the
    /// account ARN of the not-denied principal"; the boundary's rule stands there too.
    #[test]
    fn not_principal_excepts_whoever_is_named_with_the_account() {
        let root = "arn:aws:iam::123456789012:root";
        let user = "arn:aws:iam::123456789012:user/team/alice";
        let role = "arn:aws:iam::123456789012:role/worker";
        let session = "arn:aws:sts::123456789012:assumed-role/worker/one";
        for (names, denied) in [
            (json!([root]), [true, false, true, true, true]),
            (json!([user]), [true, true, true, true, true]),
            (json!([root, user]), [true, false, false, true, true]),
            (json!([root, role]), [true, false, true, false, true]),
            (json!([root, session]), [true, false, true, true, true]),
            (json!([root, role, session]), [true, false, true, false, true]),
            (json!(["*"]), [false; 5]),
        ] {
            let principals = parse("NotPrincipal", &json!({ "AWS": names }), Effect::Deny).unwrap();
            for (caller, denied) in callers().iter().zip(denied) {
                assert_eq!(principals.name(caller, false).is_some(), denied, "{names} for {caller:?}");
                assert!(principals.name(caller, true).is_some(), "a boundary is never excepted");
            }
        }
    }

    #[test]
    fn what_names_no_principal_is_refused() {
        for value in [
            json!("arn:aws:iam::123456789012:root"),
            json!({}),
            json!([]),
            json!({ "AWS": [] }),
            json!({ "AWS": [1] }),
            json!({ "AWS": "12345678901" }),
            json!({ "AWS": "arn:aws:iam::123456789012:role/*" }),
            json!({ "AWS": "arn:aws:iam::*:root" }),
            json!({ "AWS": "arn:aws:iam::123456789012:group/g" }),
            json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/worker" }),
            json!({ "AWS": "arn:aws:iam::123456789012:user/" }),
            json!({ "Service": "*" }),
            json!({ "User": "alice" }),
        ] {
            let error = parse("Principal", &value, Effect::Allow).unwrap_err();
            assert!(error.field().starts_with("Statement[0].Principal"), "{value}: {error}");
        }
        let error = parse("NotPrincipal", &json!("*"), Effect::Allow).unwrap_err();
        assert!(error.to_string().contains("everyone else"), "{error}");
        let both = json!({ "Principal": "*", "NotPrincipal": "*" });
        assert!(Principals::parse("Statement[0]", both.as_object().unwrap(), Effect::Deny).is_err());
        assert!(Principals::parse("Statement[0]", &Map::new(), Effect::Deny).is_err());
    }
}
