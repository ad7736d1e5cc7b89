//! The small cloud as this program sets it up: both buckets, the trigger, the
//! role derived from the recipe, and this very binary as the function.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use minilab_local::cloud::{Cloud, CloudConfig, Trigger};
use minilab_local::iam::Credentials as RootKey;
use minilab_local::lambda::FunctionSpec;
use minilab_s3_store::{Credentials, Endpoint, S3Access, S3Store};

use crate::config::Config;
use crate::options::{ForeignOptions, FunctionOptions};

/// Where it listens and keeps its data.
pub(crate) struct Place {
    pub(crate) data_dir: PathBuf,
    pub(crate) s3_addr: SocketAddr,
    pub(crate) console_addr: Option<SocketAddr>,
    /// The root user's key, where a person brings one.
    pub(crate) credentials: Option<RootKey>,
}

/// The region that clients are told to sign for.
pub(crate) const REGION: &str = "us-east-1";

/// Lambda waits one minute and two. On one machine a person is watching.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The program as Lambda wants it: an absolute path, from this folder or from `PATH`.
#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
fn find_program(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::current_dir().context("cannot tell which folder this is")?;
    if name.contains('/') {
        return Ok(folder.join(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|place| folder.join(place).join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("no program {name:?} is in PATH; give its path, such as ./{name}"))
}

/// Where the function's traces go: as this program's own do.
#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
fn tracing_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("OTEL_"))
}

/// Makes the function another program than this one.
pub(crate) fn set_foreign(spec: &mut FunctionSpec, options: &ForeignOptions) -> anyhow::Result<()> {
    spec.retries = options.maximum_retry_attempts;
    spec.retry_delays =
        options.retry_delays.iter().map(|seconds| Duration::from_secs(u64::from(*seconds))).collect();
    spec.maximum_event_age = Duration::from_secs(u64::from(options.maximum_event_age_in_seconds));
    for extension in &options.extension {
        let program = extension.to_str().context("the extension's path is not UTF-8")?;
        spec.extensions.push(find_program(program)?);
    }
    if let Some((program, args)) = options.program.split_first() {
        spec.command = find_program(program)?;
        spec.args = args.to_vec();
        spec.env.clear();
        spec.task_root = Some(std::env::current_dir().context("cannot tell which folder this is")?);
    }
    spec.env.extend(options.env.iter().cloned());
    Ok(())
}

/// Resolves everything that the small cloud is started with.
pub(crate) fn config(
    config: &Config,
    function: &FunctionOptions,
    place: Place,
) -> anyhow::Result<CloudConfig> {
    let recipe = &config.recipe;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let policy = match &function.policy {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the policy {}", path.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("the policy {} is not JSON", path.display()))?
        }
        None => minilab_lambda::policy::document(recipe),
    };
    let mut spec = FunctionSpec::new("minilab", program);
    spec.args = vec!["function".to_owned()];
    spec.env = vec![
        ("MINILAB_RECIPE".to_owned(), config.text.clone()),
        ("MINILAB_FOLDER".to_owned(), config.folder.display().to_string()),
    ];
    spec.env.extend(tracing_variables());
    spec.memory_mb = function.memory;
    spec.timeout = Duration::from_secs(u64::from(function.timeout));
    spec.concurrency = function.concurrency.map_or(cores, |environments| environments as usize);
    spec.retry_delays = RETRY_DELAYS.to_vec();
    Ok(CloudConfig {
        data_dir: place.data_dir,
        s3_addr: place.s3_addr,
        console_addr: place.console_addr,
        region: REGION.to_owned(),
        // The account of AWS's own examples.
        account: "123456789012".to_owned(),
        function: spec,
        root_credentials: place.credentials,
        buckets: vec![recipe.source.bucket.clone(), recipe.processed.bucket.clone()],
        triggers: vec![Trigger {
            bucket: recipe.source.bucket.clone(),
            prefix: recipe.source.prefix.clone(),
            suffix: String::new(),
            events: vec!["s3:ObjectCreated:*".to_owned(), "s3:ObjectRemoved:*".to_owned()],
        }],
        policy,
    })
}

/// A client of the small cloud's S3 with its root credentials.
pub(crate) fn client(cloud: &Cloud) -> anyhow::Result<S3Store> {
    let credentials = cloud.credentials();
    Ok(S3Store::new(S3Access {
        credentials: Credentials {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: None,
        },
        region: REGION.to_owned(),
        endpoint: Some(Endpoint::parse(cloud.s3_endpoint()).map_err(anyhow::Error::msg)?),
    }))
}
