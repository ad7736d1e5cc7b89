//! What a cloud is made from, and why one does not start.
//!
//! Owns: the configuration, its checks, and the words for people. Refuses:
//! opening or listening; what can be told beforehand is told here.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::iam::{Credentials, CredentialsError, Policy, PolicyError};
use crate::lambda::{FunctionSpec, SpecError};
use crate::storage::{OpenError, StorageError};

/// Which events of a bucket start the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The bucket; it must be one of the configured.
    pub bucket: String,
    /// Only keys that start so; empty for all.
    pub prefix: String,
    /// Only keys that end so; empty for all.
    pub suffix: String,
    /// Event types such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
}

/// Everything that a cloud is made of.
#[derive(Debug, Clone)]
pub struct CloudConfig {
    /// Where objects, the database and the root key are kept; made if missing.
    pub data_dir: PathBuf,
    /// Where S3 listens; port 0 takes a free one. An address that other
    /// machines can reach needs `root_credentials`.
    pub s3_addr: SocketAddr,
    /// Where the console listens, if the program brings one, on a loopback
    /// address; `None` for no console.
    pub console_addr: Option<SocketAddr>,
    /// For example `us-east-1`.
    pub region: String,
    /// 12 digits.
    pub account: String,
    /// Made at the start if missing.
    pub buckets: Vec<String>,
    /// The one function.
    pub function: FunctionSpec,
    /// The identity policy of the function's role, as deployed.
    pub policy: serde_json::Value,
    /// What starts the function.
    pub triggers: Vec<Trigger>,
    /// The root user's key; made once and kept in `data_dir` when `None`.
    pub root_credentials: Option<Credentials>,
}

/// Why the cloud does not start; each is one line for people.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error("{what} cannot listen on {addr}: {problem}")]
    Listen {
        /// S3 or the console.
        what: &'static str,
        /// The address asked for.
        addr: SocketAddr,
        /// The reason and the remedy.
        problem: String,
    },
    /// The address would let others in.
    #[error("{what} on {addr} could be reached by other machines; {remedy}")]
    Exposed {
        /// S3 or the console.
        what: &'static str,
        /// The address asked for.
        addr: SocketAddr,
        /// What to do.
        remedy: &'static str,
    },
    /// The account is not one.
    #[error("the account is {0:?}; give 12 digits such as 123456789012")]
    Account(String),
    /// The region is not one.
    #[error("the region is {0:?}; give a name such as us-east-1")]
    Region(String),
    /// The function cannot be set up.
    #[error(transparent)]
    Function(SpecError),
    /// The role's policy is not understood.
    #[error("role {role}: {source}")]
    Policy {
        /// The role.
        role: String,
        /// What is wrong where.
        source: PolicyError,
    },
    /// The data folder cannot be used, or is used by another process.
    #[error(transparent)]
    Storage(OpenError),
    /// The data folder cannot be made or written.
    #[error("the data folder {} cannot be used: {source}; choose another, or make it writable for this user", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: StorageError,
    },
    /// The finished invocations of earlier starts cannot be read.
    #[error("the finished invocations in {} cannot be read: {source}; move its invocations.jsonl away", path.display())]
    History {
        /// The data folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The root key cannot be had.
    #[error(transparent)]
    Credentials(CredentialsError),
    /// A bucket cannot be made.
    #[error("bucket {bucket:?} cannot be made: {source}")]
    Bucket {
        /// The bucket.
        bucket: String,
        /// Why.
        source: StorageError,
    },
    /// S3 would not accept the name.
    #[error("{0:?} is no bucket name; use 3 to 63 lower-case letters, digits, dots and hyphens")]
    BucketName(String),
    /// A trigger cannot be set.
    #[error("the trigger of bucket {bucket:?} cannot be set: {problem}")]
    Trigger {
        /// The bucket.
        bucket: String,
        /// The reason and the remedy.
        problem: String,
    },
    /// The queue cannot be read.
    #[error("the queue cannot be read: {0}; the data folder may be damaged, move it away to start afresh")]
    Queue(rusqlite::Error),
}

/// Fewest characters of a secret that other machines can try: those of AWS have 40.
const SECRET_LENGTH: usize = 20;

fn check_address(config: &CloudConfig) -> Result<(), StartError> {
    if !config.s3_addr.ip().is_loopback() && config.root_credentials.is_none() {
        return Err(StartError::Exposed {
            what: "S3",
            addr: config.s3_addr,
            remedy: "give it an access key and a secret of your own (MINILAB_ACCESS_KEY_ID and MINILAB_SECRET_ACCESS_KEY), or choose 127.0.0.1",
        });
    }
    let weak = |own: &Credentials| own.access_key_id.len() < 3 || own.secret_access_key.len() < SECRET_LENGTH;
    if !config.s3_addr.ip().is_loopback() && config.root_credentials.as_ref().is_some_and(weak) {
        return Err(StartError::Exposed {
            what: "S3",
            addr: config.s3_addr,
            remedy: "its access key needs at least 3 characters, and its secret 20 that nobody can guess",
        });
    }
    match config.console_addr {
        Some(addr) if !addr.ip().is_loopback() => Err(StartError::Exposed {
            what: "the console",
            addr,
            remedy: "it has no password, so choose 127.0.0.1 and forward the port over ssh",
        }),
        _ => Ok(()),
    }
}

/// Finds what is wrong before anything is opened; returns the role's policy.
pub(super) fn check(config: &CloudConfig) -> Result<Policy, StartError> {
    if config.account.len() != 12 || !config.account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(StartError::Account(config.account.clone()));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if config.region.is_empty() || !config.region.bytes().all(plain) {
        return Err(StartError::Region(config.region.clone()));
    }
    config.function.check().map_err(StartError::Function)?;
    check_address(config)?;
    if let Some(bucket) = config.buckets.iter().find(|bucket| !s3s::path::check_bucket_name(bucket)) {
        return Err(StartError::BucketName(bucket.clone()));
    }
    if let Some(trigger) = config.triggers.iter().find(|trigger| !config.buckets.contains(&trigger.bucket)) {
        return Err(StartError::Trigger {
            bucket: trigger.bucket.clone(),
            problem: "it is not among the configured buckets; add it there".to_owned(),
        });
    }
    Policy::parse(&config.policy)
        .and_then(|policy| policy.asking_for(&crate::s3::CONDITION_KEYS))
        .map_err(|source| StartError::Policy { role: config.function.role.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_key_of_ones_own_that_nobody_guesses() {
        let strong = "a secret of twenty characters";
        let cases = [
            ("127.0.0.1:0", None, true),
            ("[::1]:0", None, true),
            ("127.0.0.1:0", Some(("me", "short")), true),
            ("0.0.0.0:0", None, false),
            ("[::]:0", None, false),
            ("192.0.2.1:0", None, false),
            ("0.0.0.0:0", Some(("somebody", "short")), false),
            ("0.0.0.0:0", Some(("me", strong)), false),
            ("0.0.0.0:0", Some(("somebody", strong)), true),
        ];
        for (addr, key, accepted) in cases {
            let config = CloudConfig {
                data_dir: PathBuf::new(),
                s3_addr: addr.parse().unwrap(),
                console_addr: None,
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
                buckets: Vec::new(),
                function: FunctionSpec::new("f", PathBuf::from("f")),
                policy: serde_json::Value::Null,
                triggers: Vec::new(),
                root_credentials: key.map(|(id, secret)| Credentials {
                    access_key_id: id.to_owned(),
                    secret_access_key: secret.to_owned(),
                }),
            };
            assert_eq!(check_address(&config).is_ok(), accepted, "{addr} {key:?}");
            // What is wrong with a key is said without the key.
            if let Err(error) = check_address(&config) {
                assert!(!error.to_string().contains(strong) && !format!("{config:?}").contains(strong));
            }
        }
    }
}
