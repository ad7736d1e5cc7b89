//! What a function is: its command, its limits, its name in the account.
//!
//! Owns: the defaults, which are Lambda's. Refuses: limits outside Lambda's
//! and commands that cannot be run, before anything is started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// A function and its configuration.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// 1–64 letters, digits, `-` and `_`.
    pub name: String,
    /// The program that speaks the Runtime API, by absolute path.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The folder that the program runs in and that `LAMBDA_TASK_ROOT` names, by
    /// absolute path; the program's own when `None`.
    pub task_root: Option<PathBuf>,
    /// External extensions, by absolute path: programs that run beside the
    /// function in each environment.
    pub extensions: Vec<PathBuf>,
    /// Added to what Lambda itself sets; nothing else is inherited.
    pub env: Vec<(String, String)>,
    /// 128–10,240 MB; an environment that uses more is killed.
    pub memory_mb: u32,
    /// Above zero, at most 15 minutes.
    pub timeout: Duration,
    /// How long the program may take until it first asks for an event.
    pub init_timeout: Duration,
    /// The most environments at a time, at least 1.
    pub concurrency: usize,
    /// How often a failed asynchronous invocation is tried again, 0–2.
    pub retries: u32,
    /// Waiting time before each retry; the last one repeats. Lambda waits one
    /// minute, then two
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>),
    /// and so does the default: whoever wants it shorter says so.
    pub retry_delays: Vec<Duration>,
    /// An event older than this is not tried again; one minute to six hours.
    pub maximum_event_age: Duration,
    /// The name of the role whose credentials the environment gets.
    pub role: String,
}

/// Why a function cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A value is outside its range.
    #[error("function {name:?}: {field} is {value}; give {remedy}")]
    Range {
        /// The function.
        name: String,
        /// Which field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is accepted.
        remedy: &'static str,
    },
    /// The command is not there, or may not be executed.
    #[error("function {name:?}: {} {problem}; give the path of a program that this user may execute", command.display())]
    Command {
        /// The function.
        name: String,
        /// The command.
        command: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl FunctionSpec {
    /// A function with Lambda's defaults: 128 MB, 3 s, two retries after one
    /// and two minutes, events up to six hours old; one environment for each
    /// processor is a sensible `concurrency`, 2 the default.
    #[must_use]
    pub fn new(name: &str, command: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            command,
            args: Vec::new(),
            task_root: None,
            extensions: Vec::new(),
            env: Vec::new(),
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            init_timeout: Duration::from_secs(10),
            concurrency: 2,
            retries: 2,
            retry_delays: vec![Duration::from_mins(1), Duration::from_mins(2)],
            maximum_event_age: Duration::from_hours(6),
            role: format!("{name}-role"),
        }
    }

    /// Checks every limit and the command.
    pub fn check(&self) -> Result<(), SpecError> {
        let range = |field, value: String, remedy| {
            Err(SpecError::Range { name: self.name.clone(), field, value, remedy })
        };
        let name_fits = !self.name.is_empty()
            && self.name.len() <= 64
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !name_fits {
            return range("name", format!("{:?}", self.name), "1 to 64 letters, digits, - and _");
        }
        if !(128..=10_240).contains(&self.memory_mb) {
            return range("memory", format!("{} MB", self.memory_mb), "128 to 10240 MB");
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_mins(15) {
            return range("timeout", format!("{:?}", self.timeout), "more than 0 and at most 900 seconds");
        }
        if self.init_timeout.is_zero() {
            return range("init timeout", "0".to_owned(), "more than 0 seconds");
        }
        if self.concurrency == 0 || self.concurrency > 1000 {
            return range("concurrency", self.concurrency.to_string(), "1 to 1000 environments");
        }
        if self.retries > 2 {
            return range("retries", self.retries.to_string(), "0, 1 or 2");
        }
        if let Some((name, _)) = self
            .env
            .iter()
            .find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'))
        {
            return range("environment", format!("{name:?}"), "names without = and no NUL characters");
        }
        if let Some(root) = self.task_root.as_deref().filter(|root| !root.is_absolute() || !root.is_dir()) {
            return range("task root", root.display().to_string(), "the absolute path of a folder");
        }
        if self.extensions.len() > 10 {
            return range("extensions", self.extensions.len().to_string(), "at most 10");
        }
        std::iter::once(&self.command).chain(&self.extensions).try_for_each(|program| {
            executable(program).map_err(|problem| SpecError::Command {
                name: self.name.clone(),
                command: program.clone(),
                problem,
            })
        })
    }

    /// The folder that the program runs in.
    pub(super) fn task_root(&self) -> &Path {
        self.task_root.as_deref().or_else(|| self.command.parent()).unwrap_or(&self.command)
    }

    /// How long to wait after failed attempt `attempt` (the first is 1).
    pub(super) fn delay_after(&self, attempt: u32) -> Duration {
        let index = attempt.saturating_sub(1) as usize;
        self.retry_delays.get(index).or(self.retry_delays.last()).copied().unwrap_or_default()
    }
}

/// What keeps a program from being run.
fn executable(program: &Path) -> Result<(), String> {
    if !program.is_absolute() {
        return Err("is not an absolute path".to_owned());
    }
    match std::fs::metadata(program) {
        Err(error) => Err(format!("cannot be read ({error})")),
        Ok(found) if !found.is_file() => Err("is not a file".to_owned()),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => Err("is not executable".to_owned()),
        Ok(_) => Ok(()),
    }
}

/// Where the function lives: what its ARN and environment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// For example `us-east-1`.
    pub region: String,
    /// 12 digits.
    pub account: String,
    /// The function's name.
    pub function: String,
    /// What marks this cloud's children, so that a later start can find those
    /// whose cloud was killed; the same for one data folder, unlike any other.
    pub mark: String,
}

impl Identity {
    /// `arn:aws:lambda:region:account:function:name`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> FunctionSpec {
        FunctionSpec::new("f", PathBuf::from("/bin/sh"))
    }

    #[test]
    fn limits_are_checked_one_by_one() {
        type Change = fn(&mut FunctionSpec);
        assert_eq!(shell().check(), Ok(()));
        let changes: [(&str, Change); 12] = [
            ("name", |spec| spec.name = "no spaces".to_owned()),
            ("memory", |spec| spec.memory_mb = 64),
            ("timeout", |spec| spec.timeout = Duration::from_secs(901)),
            ("concurrency", |spec| spec.concurrency = 0),
            ("retries", |spec| spec.retries = 3),
            ("environment", |spec| spec.env.push(("A=B".to_owned(), String::new()))),
            ("absolute", |spec| spec.command = PathBuf::from("sh")),
            ("not a file", |spec| spec.command = PathBuf::from("/")),
            ("/no/such", |spec| spec.command = PathBuf::from("/no/such")),
            ("task root", |spec| spec.task_root = Some(PathBuf::from("/no/such"))),
            ("/no/extension", |spec| spec.extensions.push(PathBuf::from("/no/extension"))),
            ("at most 10", |spec| spec.extensions = vec![PathBuf::from("/bin/sh"); 11]),
        ];
        for (word, change) in changes {
            let mut spec = shell();
            change(&mut spec);
            let error = spec.check().unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn retries_wait_as_on_lambda() {
        let spec = shell();
        assert_eq!([1, 2, 3].map(|attempt| spec.delay_after(attempt).as_secs()), [60, 120, 120]);
    }
}
