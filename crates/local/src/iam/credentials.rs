//! Access keys: making them from the operating system's randomness, keeping
//! the root pair in the data folder, never showing a secret in `Debug`.
//!
//! Owns: the formats (`AKIA…` long-term, `ASIA…` session). Refuses: a file
//! that others may read, or one that it cannot understand.

use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A long-term access key with its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// 20 characters, `AKIA…` when made here.
    pub access_key_id: String,
    /// 40 characters when made here.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"<redacted>")
            .finish()
    }
}

/// What a role hands out: a key that must come with its token and ends.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCredentials {
    /// 20 characters, `ASIA…`.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: String,
    /// What every request must carry in `x-amz-security-token`.
    pub session_token: String,
    /// From this moment on the credentials are refused.
    pub expires: SystemTime,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"<redacted>")
            .field("session_token", &"<redacted>")
            .field("expires", &self.expires)
            .finish()
    }
}

/// Why there are no credentials to work with.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The operating system gave no randomness.
    #[error("the operating system gives no random bytes ({0}), so no access key can be made")]
    Random(String),
    /// The file cannot be read or written.
    #[error("cannot keep the access key in {}: {source}; make the folder writable for this user", path.display())]
    Keep {
        /// The credentials file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Others can read the secret.
    #[error("{} can be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The credentials file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not what was written there.
    #[error("{} holds no access key ({reason}); delete it to have a new one made", path.display())]
    Malformed {
        /// The credentials file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

const KEY_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `length` characters, each chosen evenly: both alphabets divide 256.
fn random_text<const N: usize>(alphabet: &[u8; N], length: usize) -> Result<String, CredentialsError> {
    const { assert!(256 % N == 0, "a byte modulo the alphabet must stay even") };
    let mut bytes = vec![0_u8; length];
    getrandom::fill(&mut bytes).map_err(|error| CredentialsError::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % N])).collect())
}

impl Credentials {
    /// A new long-term pair.
    pub fn generate() -> Result<Self, CredentialsError> {
        Ok(Self {
            access_key_id: format!("AKIA{}", random_text(KEY_ALPHABET, 16)?),
            secret_access_key: random_text(SECRET_ALPHABET, 40)?,
        })
    }

    /// Reads the pair kept in `path`, or makes one and keeps it there with
    /// mode 0600.
    pub fn load_or_create(path: &Path) -> Result<Self, CredentialsError> {
        let keep = |source| CredentialsError::Keep { path: path.to_owned(), source };
        match std::fs::read(path) {
            Ok(bytes) => {
                let mode = std::fs::metadata(path).map_err(keep)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(CredentialsError::Exposed { path: path.to_owned(), mode });
                }
                serde_json::from_slice(&bytes).map_err(|error| CredentialsError::Malformed {
                    path: path.to_owned(),
                    reason: error.to_string(),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::generate()?;
                let text = serde_json::to_vec_pretty(&made).map_err(|error| keep(io::Error::other(error)))?;
                // Written beside and renamed: a crash leaves no half a file.
                let beside = path.with_extension("new");
                let mut file = std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&beside)
                    .map_err(keep)?;
                file.write_all(&text).map_err(keep)?;
                file.sync_all().map_err(keep)?;
                std::fs::rename(&beside, path).map_err(keep)?;
                // Who was told the key may have it written down.
                crate::storage::sync_folder(path.parent().unwrap_or(path)).map_err(keep)?;
                Ok(made)
            }
            Err(error) => Err(keep(error)),
        }
    }
}

impl SessionCredentials {
    /// New session credentials that end at `expires`.
    pub(super) fn generate(expires: SystemTime) -> Result<Self, CredentialsError> {
        Ok(Self {
            access_key_id: format!("ASIA{}", random_text(KEY_ALPHABET, 16)?),
            secret_access_key: random_text(SECRET_ALPHABET, 40)?,
            session_token: random_text(SECRET_ALPHABET, 128)?,
            expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_made_once_and_only_the_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        let first = Credentials::load_or_create(&path).unwrap();
        assert_eq!(first, Credentials::load_or_create(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((first.access_key_id.len(), first.secret_access_key.len()), (20, 40));
    }

    #[test]
    fn a_pair_is_not_handed_out_before_its_file_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        // Written to and not opened: the rename succeeds and the sync cannot.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o300)).unwrap();
        let opens = std::fs::File::open(folder.path()).is_ok();
        let made = Credentials::load_or_create(&folder.path().join("root.json"));
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        // Root opens it all the same.
        assert_eq!(made.is_ok(), opens);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        Credentials::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Credentials::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret_and_no_token() {
        let long = Credentials::generate().unwrap();
        assert!(!format!("{long:?}").contains(&long.secret_access_key));
        let session = SessionCredentials::generate(SystemTime::now()).unwrap();
        let shown = format!("{session:?}");
        assert!(!shown.contains(&session.secret_access_key) && !shown.contains(&session.session_token));
    }
}
