//! An endpoint over a new folder, with the bucket `photos`.

use super::{Client, Keys};
use minilab_local::iam::{Authority, Credentials, Policy};
use minilab_local::notify::Place;
use minilab_local::s3::{S3Settings, serve};
use minilab_local::storage::Storage;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Whom notification rules may name.
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:minilab";

/// A running endpoint; stops when dropped.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    authority: Arc<Authority>,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Endpoint {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), Place::default(), Arc::new(|| {})).unwrap();
        storage.create_bucket("photos").unwrap();
        let root = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "root-secret".to_owned(),
        };
        let authority = Arc::new(Authority::new("123456789012", root));
        let shutdown = CancellationToken::new();
        let settings = S3Settings { functions: [FUNCTION.to_owned()].into(), ..S3Settings::default() };
        let (sender, receiver) = std::sync::mpsc::channel();
        let (gate, end) = (Arc::clone(&authority), shutdown.clone());
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, Arc::new(storage), gate, settings, end).await.unwrap();
            });
        });
        Self { address: receiver.recv().unwrap(), authority, shutdown, _folder: folder }
    }

    pub(crate) fn root(&self) -> Client {
        let keys =
            Keys { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "root-secret".to_owned(), token: None };
        Client { address: self.address, keys: Some(keys) }
    }

    /// A session of a role with one statement that allows `actions` on `resources`.
    pub(crate) fn session(&self, actions: &[&str], resources: &[&str]) -> Client {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Sid": "Only", "Effect": "Allow", "Action": actions, "Resource": resources}],
        });
        self.authority.put_role("worker", vec![Policy::parse(&document).unwrap()]);
        let session = self.authority.assume_role("worker", "test", Duration::from_mins(15)).unwrap();
        let keys = Keys {
            id: session.access_key_id,
            secret: session.secret_access_key,
            token: Some(session.session_token),
        };
        Client { address: self.address, keys: Some(keys) }
    }
}
