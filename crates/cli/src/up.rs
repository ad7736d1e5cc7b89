//! `minilab up`: the small cloud, until Ctrl-C.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use minilab_console::ConsolePage;
use minilab_local::cloud::{Additions, Cloud};
use minilab_local::iam::Credentials;
use serde_json::json;

use crate::cloud;
use crate::config::{self, Config};
use crate::console::Console;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::options::UpOptions;

pub(crate) fn run(globals: &Globals, options: &UpOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let place = cloud::Place {
        data_dir: options.data_dir.clone(),
        s3_addr: options.s3_addr,
        console_addr: Some(options.console_addr),
        credentials: own_key()?,
    };
    let mut settings = cloud::config(&config, &options.function, place)?;
    cloud::set_foreign(&mut settings.function, &options.foreign)?;
    let console = Console::new(
        &config,
        globals.config.as_deref(),
        &settings.function.env,
        options.function.policy.is_none(),
        options.function.memory,
    )?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        // Before anything is started: a signal during start-up is not lost.
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let console = Arc::new(console);
        let additions = Additions {
            extension: Some(console.clone()),
            page: Some(Arc::new(ConsolePage::new(Some(console)))),
        };
        let cloud = Cloud::start_with(settings, additions).await?;
        ready(globals, &config, &cloud)?;
        tokio::select! {
            signal = tokio::signal::ctrl_c() => signal?,
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: running invocations may finish");
        cloud.shutdown().await;
        Ok(Ending::Done)
    })
}

/// The key that the person chose, which an address that other machines reach needs. From the environment only:
/// every user of a machine sees its processes' arguments.
#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
fn own_key() -> anyhow::Result<Option<Credentials>> {
    const NAMES: [&str; 2] = ["MINILAB_ACCESS_KEY_ID", "MINILAB_SECRET_ACCESS_KEY"];
    let [id, secret] = NAMES.map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Some(Credentials { access_key_id, secret_access_key }))
        }
        (Some(_), None) | (None, Some(_)) => {
            anyhow::bail!("set both {} and {}, or neither", NAMES[0], NAMES[1])
        }
    }
}

fn ready(globals: &Globals, config: &Config, cloud: &Cloud) -> anyhow::Result<()> {
    let credentials = cloud.credentials();
    let (s3, console) = (cloud.s3_endpoint(), cloud.console_url().unwrap_or_default());
    let recipe = &config.recipe;
    let mut out = std::io::stdout().lock();
    if globals.json {
        let line = json!({
            "ready": true,
            "s3": s3,
            "console": console,
            "access_key_id": credentials.access_key_id,
            "secret_access_key": credentials.secret_access_key,
            "region": cloud::REGION,
            "source": recipe.source.bucket,
            "processed": recipe.processed.bucket,
        });
        writeln!(out, "{line}")?;
    } else if !globals.quiet {
        let (key, secret, region) =
            (&credentials.access_key_id, &credentials.secret_access_key, cloud::REGION);
        writeln!(out, "minilab is up ({})\n", config.origin)?;
        writeln!(out, "  S3         {s3}")?;
        writeln!(out, "  console    {console}")?;
        writeln!(out, "  source     s3://{}/{}", recipe.source.bucket, recipe.source.prefix)?;
        writeln!(out, "  processed  s3://{}/\n", recipe.processed.bucket)?;
        writeln!(out, "Drop a picture in, and look at its prints:\n")?;
        writeln!(out, "  export AWS_ENDPOINT_URL={s3} AWS_REGION={region}")?;
        writeln!(out, "  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}")?;
        writeln!(out, "  aws s3 cp photo.jpg s3://{}/{}", recipe.source.bucket, recipe.source.prefix)?;
        writeln!(out, "  aws s3 ls --recursive s3://{}/\n", recipe.processed.bucket)?;
        writeln!(out, "Ctrl-C stops it; its data stays.")?;
    }
    out.flush()?;
    Ok(())
}
