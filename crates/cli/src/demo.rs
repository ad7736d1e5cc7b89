//! `minilab demo`: the whole pipeline once. Starts the small cloud on free
//! ports, uploads over S3, waits for the function, downloads every print.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use minilab_handler::event::{Delivery, Record};
use minilab_handler::store::{Metadata, Object, Put};
use minilab_handler::{Logged, Store as _, tag};
use minilab_imaging::recipe::{Footprint, report_key};
use minilab_imaging::{Limits, Recipe};
use minilab_local::activity::Activity;
use minilab_local::cloud::Cloud;
use minilab_s3_store::S3Store;
use tokio::sync::broadcast::error::RecvError;

use crate::cloud;
use crate::config::{self, Config};
use crate::ending::Ending;
use crate::globals::Globals;
use crate::inputs;
use crate::options::DemoOptions;
use crate::results::{self, Picture, Print, Status};
use crate::samples::SAMPLES;

/// A picture to be uploaded.
struct Upload {
    /// As the person named it.
    source: String,
    key: String,
    content: Content,
}

enum Content {
    File(PathBuf),
    Bundled(&'static [u8]),
}

impl Content {
    fn read(&self) -> anyhow::Result<Bytes> {
        match self {
            Self::Bundled(bytes) => Ok(Bytes::from_static(bytes)),
            Self::File(path) => {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                Ok(Bytes::from(bytes))
            }
        }
    }
}

pub(crate) fn run(globals: &Globals, options: &DemoOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let uploads = uploads(options, &config.recipe)?;
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make the folder {}", options.out.display()))?;
    let data = tempfile::tempdir().context("cannot make a temporary folder")?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let place = cloud::Place {
        data_dir: data.path().to_owned(),
        s3_addr: loopback,
        console_addr: None,
        credentials: None,
    };
    let settings = cloud::config(&config, &options.function, place)?;

    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let pictures = runtime.block_on(async {
        let cloud = Cloud::start(settings).await?;
        let pictures = tokio::select! {
            pictures = pipeline(globals, &config, &cloud, &uploads, &options.out) => pictures,
            signal = tokio::signal::ctrl_c() => match signal {
                Ok(()) => Err(anyhow::anyhow!("interrupted")),
                Err(error) => Err(error.into()),
            },
        };
        cloud.shutdown().await;
        pictures
    })?;
    if globals.json {
        pictures.iter().for_each(results::line);
    }
    let ending = results::report(globals, &pictures)?;
    if !globals.json && !globals.quiet {
        println!("The prints are in {}", options.out.display());
    }
    Ok(ending)
}

fn uploads(options: &DemoOptions, recipe: &Recipe) -> anyhow::Result<Vec<Upload>> {
    if options.files.is_empty() {
        let sample = |(name, bytes): &(&'static str, &'static [u8])| Upload {
            source: (*name).to_owned(),
            key: format!("{}{name}", recipe.source.prefix),
            content: Content::Bundled(bytes),
        };
        return Ok(SAMPLES.iter().map(sample).collect());
    }
    let inputs = inputs::collect(&options.files, recipe)?;
    let upload = |input: inputs::Input| Upload {
        source: input.path.display().to_string(),
        key: input.key,
        content: Content::File(input.path),
    };
    Ok(inputs.into_iter().map(upload).collect())
}

async fn pipeline(
    globals: &Globals,
    config: &Config,
    cloud: &Cloud,
    uploads: &[Upload],
    out: &Path,
) -> anyhow::Result<Vec<Picture>> {
    let store = cloud::client(cloud)?;
    let bar = progress(globals, uploads.len());
    let log = watch(cloud, bar.clone());
    bar.set_message("uploading");
    for upload in uploads {
        let put = Put {
            bytes: upload.content.read()?,
            content_type: content_type(&upload.key),
            cache_control: "no-cache".to_owned(),
            metadata: Metadata::new(),
        };
        store
            .put(&config.recipe.source.bucket, &upload.key, put)
            .await
            .with_context(|| format!("cannot upload {}", upload.source))?;
    }
    bar.set_message("printing");
    cloud.idle().await.context("cannot read the queue")?;
    bar.set_message("downloading");
    let stored = log.finish().await;

    let mut pictures = Vec::new();
    for upload in uploads {
        pictures.push(collect(config, cloud, &store, upload, &stored, out).await?);
    }
    bar.finish_and_clear();
    Ok(pictures)
}

/// Listens to the function's log, and moves the bar.
struct Watch {
    task: tokio::task::JoinHandle<HashMap<String, f64>>,
    stop: Arc<tokio::sync::Notify>,
}

impl Watch {
    /// The time of each print that was stored, by its key.
    async fn finish(self) -> HashMap<String, f64> {
        self.stop.notify_one();
        self.task.await.unwrap_or_default()
    }
}

fn watch(cloud: &Cloud, bar: ProgressBar) -> Watch {
    let mut feed = cloud.activity();
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let mut stored = HashMap::new();
        let mut note = |activity: &Activity| match activity {
            Activity::Log { line, .. } => {
                if let Some(Logged::Stored(line)) = Logged::parse(line) {
                    stored.insert(line.print, line.ms);
                }
            }
            Activity::Finished(_) => bar.inc(1),
            _ => {}
        };
        loop {
            tokio::select! {
                biased;
                activity = feed.recv() => match activity {
                    Ok(activity) => note(&activity),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return stored,
                },
                // Only when nothing is left to read.
                () = stopped.notified() => return stored,
            }
        }
    });
    Watch { task, stop }
}

/// Downloads the prints of one source, or finds out why there are none.
async fn collect(
    config: &Config,
    cloud: &Cloud,
    store: &S3Store,
    upload: &Upload,
    stored: &HashMap<String, f64>,
    out: &Path,
) -> anyhow::Result<Picture> {
    let recipe = &config.recipe;
    let bucket = recipe.processed.bucket.as_str();
    let size = store.head(&recipe.source.bucket, &upload.key).await?.map_or(0, |head| head.size);
    let mut picture = Picture::new(upload.source.clone(), upload.key.clone(), size);
    if let Some(Object::Whole { bytes, .. }) = store.get(bucket, &report_key(&upload.key), 1 << 20).await? {
        let report: serde_json::Value =
            serde_json::from_slice(&bytes).context("a failure report is not JSON")?;
        let text = |field: &str| report[field].as_str().map(str::to_owned);
        picture.status = Status::Rejected;
        picture.code = text("code");
        picture.reason = text("reason");
        return Ok(picture);
    }
    let mut missing = Vec::new();
    for output in recipe.outputs_of_key(&upload.key) {
        let keys = keys(store, bucket, &upload.key, &output.footprint(&upload.key)).await?;
        let mut found = false;
        for key in keys {
            if picture.prints.iter().any(|print| print.key == key) {
                found = true;
                continue;
            }
            let Some(Object::Whole { bytes, .. }) = store.get(bucket, &key, u64::MAX).await? else {
                continue;
            };
            let path = inputs::write(out, &key, &bytes)?;
            let header = minilab_imaging::inspect(&bytes, &Limits::default())
                .with_context(|| format!("the print {key} cannot be read back"))?;
            found = true;
            picture.prints.push(Print {
                path: path.display().to_string(),
                format: header.format.name(),
                width: header.width,
                height: header.height,
                frames: header.frames,
                bytes: bytes.len(),
                ms: stored.get(&key).copied(),
                key,
            });
        }
        if !found {
            missing.push(output.key.to_string());
        }
    }
    picture.ms = picture.prints.iter().filter_map(|print| print.ms).fold(0.0, f64::max);
    if !missing.is_empty() {
        picture.status = Status::Failed;
        picture.reason = Some(why_missing(cloud, &upload.key, &missing).await?);
    }
    Ok(picture)
}

/// The keys of this source's prints under one output.
async fn keys(
    store: &S3Store,
    bucket: &str,
    source_key: &str,
    footprint: &Footprint,
) -> anyhow::Result<BTreeSet<String>> {
    let prefix = match footprint {
        Footprint::Exact(key) => return Ok(BTreeSet::from([key.clone()])),
        Footprint::Listed { prefix, .. } => prefix,
        Footprint::Nothing(_) => return Ok(BTreeSet::new()),
    };
    let source = tag::source(source_key);
    let mut found = BTreeSet::new();
    let mut from: Option<String> = None;
    loop {
        let page = store.list(bucket, prefix, from.as_deref()).await?;
        for key in page.keys {
            if footprint.covers(&key)
                && let Some(head) = store.head(bucket, &key).await?
                && head.metadata.get(tag::SOURCE) == Some(&source)
            {
                found.insert(key);
            }
        }
        match page.next {
            None => return Ok(found),
            next => from = next,
        }
    }
}

/// What the failure destination says of this key.
async fn why_missing(cloud: &Cloud, key: &str, missing: &[String]) -> anyhow::Result<String> {
    let missing = missing.join(", ");
    let failed = cloud.failed_events().await.context("cannot read the queue")?;
    let names_key = |payload: &serde_json::Value| {
        Delivery::parse(payload).is_ok_and(|delivery| {
            let mut records = delivery.messages.iter().flat_map(|message| &message.records);
            records.any(|record| matches!(record, Record::Hint(hint) if hint.key == key))
        })
    };
    let envelope = failed
        .into_iter()
        .map(|event| event.envelope)
        .find(|envelope| names_key(&envelope["requestPayload"]));
    Ok(match envelope.as_ref().map(|envelope| &envelope["responsePayload"]["errorMessage"]) {
        Some(serde_json::Value::String(message)) => format!("no print for {missing}: {message}"),
        Some(_) => format!("no print for {missing}: the function failed without a word"),
        None => format!("no print for {missing}, and no report; run it again with --log debug"),
    })
}

/// By extension, as upload tools do; the function looks at the bytes.
fn content_type(key: &str) -> &'static str {
    let extension = key.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        _ => "application/octet-stream",
    }
}

fn progress(globals: &Globals, pictures: usize) -> ProgressBar {
    if globals.json || globals.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {bar:40} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(pictures as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
