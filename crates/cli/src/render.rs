//! `minilab render`: the same recipe on local files, no cloud.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use minilab_imaging::recipe::Asset;
use minilab_imaging::{Error, Limit, Limits, Recipe, Rendition};

use crate::config;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::inputs::{self, Input};
use crate::options::RenderOptions;
use crate::results::{self, Picture, Print, Status};
use crate::table::bytes;

pub(crate) fn run(globals: &Globals, options: &RenderOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let inputs = inputs::collect(&options.files, &config.recipe)?;
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make the folder {}", options.out.display()))?;

    let bar = progress(globals, inputs.len());
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let finished: Mutex<Vec<(usize, anyhow::Result<Picture>)>> = Mutex::new(Vec::new());
    // Whole pictures side by side use cores better than one picture on all of them.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(inputs.len());
    if let Some(Asset::Object(key)) = config.recipe.missing_assets().first() {
        anyhow::bail!(
            "the watermark processed:{key} lies in a bucket, which render does not ask; put it beside the recipe"
        );
    }
    let limits = Limits { threads: cores / workers.max(1), ..config.recipe.limits };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else { break };
                    let result = one(input, &config.recipe, &limits, &options.out);
                    match &result {
                        Ok(picture) if globals.json => results::line(picture),
                        Ok(_) => {}
                        Err(_) => stopped.store(true, Ordering::Relaxed),
                    }
                    bar.inc(1);
                    finished.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    bar.finish_and_clear();

    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(index, _)| *index);
    let pictures = finished.into_iter().map(|(_, result)| result).collect::<anyhow::Result<Vec<_>>>()?;
    results::report(globals, &pictures)
}

/// Renders one file. An error is about this machine (a full disk), not the picture.
fn one(input: &Input, recipe: &Recipe, limits: &Limits, out: &Path) -> anyhow::Result<Picture> {
    let begun = Instant::now();
    let size = std::fs::metadata(&input.path).map_or(0, |metadata| metadata.len());
    let mut picture = Picture::new(input.path.display().to_string(), input.key.clone(), size);
    let prints: Mutex<Vec<(Rendition, Duration)>> = Mutex::new(Vec::new());
    // Looked at before it is read: a film in the folder is not loaded to be refused.
    let result = if size > limits.input_bytes {
        Err(Error::OverLimit {
            which: Limit::InputBytes,
            what: "the size",
            value: bytes(size),
            limit: bytes(limits.input_bytes),
        })
    } else {
        let source =
            std::fs::read(&input.path).with_context(|| format!("cannot read {}", input.path.display()))?;
        let sink = |print| {
            let done = begun.elapsed();
            prints.lock().unwrap_or_else(PoisonError::into_inner).push((print, done));
        };
        let stop = || begun.elapsed() >= Duration::from_secs(limits.seconds.into());
        minilab_imaging::render_until(&source, &input.key, recipe, limits, &sink, &stop)
    };
    if let Err(error) = result {
        picture.status = Status::Rejected;
        picture.code = Some(error.code().to_owned());
        picture.reason = Some(error.to_string());
        picture.ms = begun.elapsed().as_secs_f64() * 1e3;
        return Ok(picture);
    }
    let mut prints = prints.into_inner().unwrap_or_else(PoisonError::into_inner);
    prints.sort_by_key(|(print, _)| print.output);
    for (print, done) in prints {
        let path = inputs::write(out, &print.key, &print.bytes)?;
        picture.prints.push(Print {
            path: path.display().to_string(),
            format: print.format.name(),
            width: print.width,
            height: print.height,
            frames: print.frames,
            bytes: print.bytes.len(),
            ms: Some(done.as_secs_f64() * 1e3),
            key: print.key,
        });
    }
    picture.ms = begun.elapsed().as_secs_f64() * 1e3;
    Ok(picture)
}

fn progress(globals: &Globals, pictures: usize) -> ProgressBar {
    if globals.json || globals.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(pictures as u64).with_style(style)
}
