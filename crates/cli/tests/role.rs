//! The role is minimal and sufficient: with the policy derived from the recipe
//! the whole pipeline works against the small cloud, which enforces it; with
//! any permission of it missing something fails; beside it nothing is allowed.

use std::sync::Arc;
use std::time::Duration;

use minilab_handler::store::{Cause, Metadata, Object, Put, StoreError};
use minilab_handler::{Handler, Options, State, Store as _, ThreadRenderer};
use minilab_imaging::Recipe;
use minilab_imaging::recipe::Asset;
use minilab_lambda::policy;
use minilab_local::cloud::{Cloud, CloudConfig};
use minilab_local::iam::{Policy, RequestContext};
use minilab_local::lambda::FunctionSpec;
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store, SystemClock};
use serde_json::{Value, json};

/// Every way of finding prints: under the source's own key, listed because the
/// key is the picture's; reports; a watermark that lies in the bucket.
const RECIPE: &str = r#"
[source]
bucket = "film"
prefix = "in/"
[processed]
bucket = "paper"
[[output]]
key = "small-{key}"
resize = { width = 16 }
format = "png"
[[output]]
key = "sized/{stem}_{width}x{height}.{ext}"
resize = { width = 24, enlarge = true }
format = "png"
[[output]]
key = "marked/{key}"
format = "png"
watermark = { image = "processed:brand/logo.png" }
"#;

const PICTURE: &[u8] = include_bytes!("../../../tests/golden/png/palette/input.png");
const OTHER_SIZE: &[u8] = include_bytes!("../../../tests/golden/png/rgb8/input.png");

/// The small cloud with one role, whose policy each test sets.
struct Pipeline {
    cloud: Cloud,
    root: S3Store,
    _folder: tempfile::TempDir,
}

impl Pipeline {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(CloudConfig {
            data_dir: folder.path().to_owned(),
            s3_addr: "127.0.0.1:0".parse().unwrap(),
            console_addr: None,
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            buckets: vec!["film".to_owned(), "paper".to_owned(), "other".to_owned()],
            // Never run: there is no trigger; the tests are the function.
            function: FunctionSpec::new("none", env!("CARGO_BIN_EXE_minilab").into()),
            policy: json!({ "Version": "2012-10-17", "Statement": [] }),
            triggers: Vec::new(),
            root_credentials: None,
        })
        .await
        .unwrap();
        let keys = cloud.credentials();
        let root = Self::store(&cloud, &keys.access_key_id, &keys.secret_access_key, None);
        Self { cloud, root, _folder: folder }
    }

    fn store(cloud: &Cloud, id: &str, secret: &str, token: Option<String>) -> S3Store {
        S3Store::new(S3Access {
            credentials: Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: secret.to_owned(),
                session_token: token,
            },
            region: "us-east-1".to_owned(),
            endpoint: Some(Endpoint::parse(cloud.s3_endpoint()).unwrap()),
        })
    }

    /// A function's store: a session of a role that may do what `document` says.
    fn function(&self, document: &Value) -> S3Store {
        let authority = self.cloud.authority();
        authority.put_role("function", vec![Policy::parse(document).unwrap()]);
        let session = authority.assume_role("function", "test", Duration::from_mins(15)).unwrap();
        let token = Some(session.session_token);
        Self::store(&self.cloud, &session.access_key_id, &session.secret_access_key, token)
    }

    async fn upload(&self, key: &str, bytes: &'static [u8]) {
        self.root.put("film", key, put(bytes)).await.unwrap();
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        self.root.list(bucket, "", None).await.unwrap().keys
    }

    async fn empty(&self) {
        for bucket in ["film", "paper"] {
            for key in self.keys(bucket).await {
                self.root.delete(bucket, &key).await.unwrap();
            }
        }
    }

    /// Everything that the function does in its life; the first thing that it
    /// cannot do.
    async fn works(&self, document: &Value) -> Result<(), String> {
        self.empty().await;
        self.root.put("paper", "brand/logo.png", put(PICTURE)).await.unwrap();
        let store = Arc::new(self.function(document));
        let recipe = supplied(&store).await?;
        let limits = recipe.limits;
        let renderer = ThreadRenderer::new(|| Duration::ZERO);
        let clock = SystemClock::start();
        let handler = Handler::new(Arc::new(recipe), limits, store, renderer, clock, Options::default());
        let reconcile = async |key: &str| {
            let outcome = Box::pin(handler.reconcile(key, Duration::from_hours(1))).await;
            outcome.map(|outcome| outcome.state).map_err(|failure| format!("{key}: {failure}"))
        };
        let steps: [(&str, Option<&'static [u8]>, usize); 8] = [
            ("created", Some(PICTURE), 3),
            ("overwritten by one of another size", Some(OTHER_SIZE), 3),
            ("deleted", None, 0),
            ("deleted, announced twice", None, 0),
            ("rejected", Some(b"no picture"), 1),
            ("mended", Some(PICTURE), 3),
            ("rejected after prints", Some(b"no picture"), 1),
            ("deleted after its report", None, 0),
        ];
        // Two keys, so that no permission for one alone is enough.
        for key in ["in/a.png", "in/b/c.png"] {
            for (what, bytes, left) in steps {
                match bytes {
                    Some(bytes) => self.upload(key, bytes).await,
                    None => self.root.delete("film", key).await.unwrap(),
                }
                let state = reconcile(key).await.map_err(|problem| format!("{what}: {problem}"))?;
                let printed = matches!(state, State::Printed);
                let found = self.keys("paper").await;
                if printed != (left == 3) || found.len() != left + 1 {
                    return Err(format!("{key} {what}: {state:?}, and the bucket holds {found:?}"));
                }
            }
        }
        Ok(())
    }
}

fn put(bytes: &'static [u8]) -> Put {
    Put {
        bytes: bytes.into(),
        content_type: "image/png",
        cache_control: String::new(),
        metadata: Metadata::new(),
    }
}

fn recipe() -> Recipe {
    Recipe::parse(RECIPE).unwrap()
}

/// The recipe with its watermark, which the function loads when it starts.
async fn supplied(store: &S3Store) -> Result<Recipe, String> {
    let mut recipe = recipe();
    let missing: Vec<Asset> = recipe.missing_assets();
    for asset in missing {
        let Asset::Object(key) = &asset else { return Err(format!("{asset:?} is not in the bucket")) };
        let loaded = store.get("paper", key, u64::MAX).await.map_err(|error| error.to_string())?;
        let Some(Object::Whole { bytes, .. }) = loaded else { return Err(format!("no {key}")) };
        recipe.supply(asset, bytes.to_vec()).map_err(|error| error.to_string())?;
    }
    Ok(recipe)
}

/// Every statement's every action on every resource of it.
fn permissions(document: &Value) -> Vec<(String, String)> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let statements = document["Statement"].as_array().unwrap();
    statements
        .iter()
        .flat_map(|statement| {
            let resources = texts(&statement["Resource"]);
            texts(&statement["Action"])
                .into_iter()
                .flat_map(move |action| resources.clone().into_iter().map(move |on| (action.clone(), on)))
        })
        .collect()
}

/// The same without the `at`-th entry of a list of a statement; without the
/// statement, when that was its last.
fn without(document: &Value, statement: usize, field: &str, at: usize) -> Value {
    let mut less = document.clone();
    let statements = less["Statement"].as_array_mut().unwrap();
    let list = statements[statement][field].as_array_mut().unwrap();
    list.remove(at);
    if list.is_empty() {
        statements.remove(statement);
    }
    less
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_is_sufficient_and_each_permission_of_it_is_needed() {
    let pipeline = Pipeline::start().await;
    let document = policy::document(&recipe());
    assert_eq!(pipeline.works(&document).await, Ok(()));

    let mut needless = Vec::new();
    let mut tried = 0;
    let mut try_less = async |less: &Value, what: String| {
        tried += 1;
        if pipeline.works(less).await.is_ok() {
            needless.push(what);
        }
    };
    for (action, resource) in permissions(&document) {
        let mut less = document.clone();
        less["Statement"].as_array_mut().unwrap().push(json!({
            "Effect": "Deny", "Action": action, "Resource": resource }));
        try_less(&less, format!("{action} on {resource}")).await;
    }
    for (statement, grant) in policy::grants(&recipe()).into_iter().enumerate() {
        for (at, action) in grant.actions.iter().enumerate() {
            let less = without(&document, statement, "Action", at);
            try_less(&less, format!("{} without {action}", grant.sid)).await;
        }
        for (at, resource) in grant.resources.iter().enumerate() {
            let less = without(&document, statement, "Resource", at);
            try_less(&less, format!("{} without {resource}", grant.sid)).await;
            // Narrowed: only keys that go on with an `a`, or no key of the bucket at all.
            let mut less = document.clone();
            let narrowed = resource
                .strip_suffix('*')
                .map_or_else(|| format!("{resource}x"), |start| format!("{start}a*"));
            less["Statement"][statement]["Resource"][at] = json!(narrowed);
            try_less(&less, format!("{} on {narrowed} instead of {resource}", grant.sid)).await;
        }
    }
    // Of the prefixes that may be listed, those of outputs that are listed. The
    // others stay: S3 documents that it asks for s3:ListBucket when a key is
    // missing, and not with which s3:prefix.
    let listing = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .position(|statement| !statement["Condition"].is_null());
    let listing = listing.expect("one statement is limited to prefixes");
    let prefixes = &document["Statement"][listing]["Condition"]["StringLikeIfExists"]["s3:prefix"];
    for (at, prefix) in prefixes.as_array().unwrap().iter().enumerate() {
        if prefix.as_str().is_some_and(|prefix| prefix.starts_with("sized/")) {
            let mut less = document.clone();
            less["Statement"][listing]["Condition"]["StringLikeIfExists"]["s3:prefix"]
                .as_array_mut()
                .unwrap()
                .remove(at);
            try_less(&less, format!("listing {prefix}")).await;
        }
    }
    assert!(needless.is_empty(), "the pipeline works without {needless:#?}");
    assert!(tried > 30, "{tried} poorer roles");
    println!("{tried} poorer roles, each fails");
    pipeline.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_role_does_not_name_is_refused() {
    let pipeline = Pipeline::start().await;
    let document = policy::document(&recipe());
    let store = pipeline.function(&document);
    for (bucket, key) in
        [("film", "out/a.png"), ("paper", "private/a.png"), ("other", "a.png"), ("film", "in/a.png")]
    {
        pipeline.root.put(bucket, key, put(PICTURE)).await.unwrap();
    }
    let denied = |result: Result<(), StoreError>, what: &str| {
        let error = result.expect_err(what);
        assert_eq!(error.cause, Cause::Denied, "{what}: {error}");
    };
    denied(store.get("film", "out/a.png", 1 << 20).await.map(drop), "a source outside the prefix");
    denied(store.put("film", "in/a.png", put(PICTURE)).await, "writing a source");
    denied(store.delete("film", "in/a.png").await, "deleting a source");
    denied(store.get("paper", "private/a.png", 1 << 20).await.map(drop), "a stranger's object");
    denied(store.head("paper", "private/a.png").await.map(drop), "looking a stranger's object up");
    denied(store.put("paper", "private/a.png", put(PICTURE)).await, "overwriting a stranger's object");
    denied(store.delete("paper", "private/a.png").await, "deleting a stranger's object");
    denied(store.put("paper", "brand/logo.png", put(PICTURE)).await, "overwriting the watermark");
    denied(store.list("paper", "private/", None).await.map(drop), "listing what is not ours");
    denied(store.get("other", "a.png", 1 << 20).await.map(drop), "another bucket");
    denied(store.list("other", "", None).await.map(drop), "listing another bucket");

    // Every other action, and those of the role on every other resource.
    let authority = pipeline.cloud.authority();
    let session = authority.assume_role("function", "matrix", Duration::from_mins(1)).unwrap();
    let allowed = |action: &str, resource: &str| {
        let key = Some(session.access_key_id.as_str());
        authority.authorize(key, action, resource, &RequestContext::new()).is_allowed()
    };
    let objects = [
        "film/in/a.png",
        "film/out/a.png",
        "paper/small-in/x",
        "paper/marked/in/x",
        "paper/sized/x",
        "paper/failures/x",
        "paper/brand/logo.png",
        "paper/x",
        "other/in/a.png",
    ];
    let arns: Vec<String> = objects
        .iter()
        .chain(&["film", "paper", "other"])
        .map(|name| format!("arn:aws:s3:::{name}"))
        .collect();
    let ours = ["paper/small-in/x", "paper/marked/in/x", "paper/sized/x", "paper/failures/x"];
    for action in [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "s3:GetObjectVersion",
        "s3:DeleteObjectVersion",
        "s3:GetObjectTagging",
        "s3:PutObjectTagging",
        "s3:PutObjectAcl",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:DeleteBucketPolicy",
        "s3:PutBucketNotification",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
        "s3:ListAllMyBuckets",
        "s3:BypassGovernanceRetention",
        "s3:RestoreObject",
        "lambda:InvokeFunction",
        "iam:PassRole",
        "sts:AssumeRole",
    ] {
        for arn in &arns {
            let name = arn.trim_start_matches("arn:aws:s3:::");
            let expected = match action {
                "s3:GetObject" => {
                    ours.contains(&name) || name == "film/in/a.png" || name == "paper/brand/logo.png"
                }
                "s3:PutObject" | "s3:DeleteObject" => ours.contains(&name),
                "s3:ListBucket" => name == "film" || name == "paper",
                _ => false,
            };
            assert_eq!(allowed(action, arn), expected, "{action} on {arn}");
        }
    }
    pipeline.cloud.shutdown().await;
}
