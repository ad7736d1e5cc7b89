//! One job of the benchmark, as bench/run.py drives it: `bench_job JOB INPUT OUT_DIR`.
//!
//! Owns: the jobs' recipes and the measuring of one run. Refuses: to decide how
//! often or in which order jobs run. The protocol is that of
//! bench/peers/worker.py: a line "run" on standard input does the job once, from
//! the picture's bytes to encoded files in memory; "end" writes the files of the
//! last run to `OUT_DIR` and prints the peak of memory. A line "once" does the
//! job without looking at a clock, for bench/guard.py: rustix finds none under
//! valgrind.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own, which reads files and the clock for the library"
)]

mod floor;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use floor::Floor;
use minilab_imaging::{Limits, Recipe, Rendition, render};
use rustix::time::{ClockId, clock_gettime};

const WIDTHS: [u32; 5] = [2048, 1280, 800, 400, 160];
const CELLS: [u32; 5] = [8, 16, 32, 48, 64];
const WEBP_WIDTHS: [u32; 2] = [1280, 640];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [job, input, out] = arguments.as_slice() else {
        return Err(
            "usage: bench_job floor|widths|cells|webp|avif|avif-fast|png|24mp|50mp|100mp INPUT OUT_DIR"
                .into(),
        );
    };
    let (recipe, limits) = (recipe(job)?, limits(job));
    let picture = std::fs::read(input)?;
    say(&format!("{{\"ready\": true, \"idle_bytes\": {}}}", peak_bytes()?))?;

    let mut floor = match job.as_str() {
        "floor" => Some(Floor::new(&picture, run(&picture, &recipe, &limits, extension(job))?)?),
        _ => None,
    };
    let mut files = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim() == "end" {
            break;
        }
        // The files of the run before are not part of this run's memory.
        drop(std::mem::take(&mut files));
        if line.trim() == "once" {
            files = run(&picture, &recipe, &limits, extension(job))?;
            continue;
        }
        let (wall, cpu) = (Instant::now(), cpu());
        files = match &mut floor {
            Some(floor) => floor.run(&picture)?,
            None => run(&picture, &recipe, &limits, extension(job))?,
        };
        let (wall, cpu) = (wall.elapsed(), self::cpu().saturating_sub(cpu));
        say(&format!("{{\"wall_ms\": {}, \"cpu_ms\": {}}}", milliseconds(wall), milliseconds(cpu)))?;
    }
    let peak = peak_bytes()?;
    for file in &files {
        std::fs::write(Path::new(out).join(&file.key), &file.bytes)?;
    }
    say(&format!("{{\"peak_bytes\": {peak}}}"))
}

/// The same work and file names as the peers', at the same quality but for AVIF,
/// where the harness fits the peers' to ours. The source's key is the extension,
/// so that a print is called `2048.jpg`.
fn recipe(job: &str) -> Result<Recipe, Box<dyn Error>> {
    let (defaults, widths): (&str, &[u32]) = match job {
        "floor" | "widths" | "24mp" | "50mp" | "100mp" => ("format = \"jpeg\"\nquality = 80", &WIDTHS),
        "cells" => ("format = \"jpeg\"\nquality = 75", &[]),
        // Method 4 of libwebp is the default.
        "webp" => ("format = \"webp\"\nquality = 80", &WEBP_WIDTHS),
        "avif" => ("format = \"avif\"\nquality = 60\neffort = 4", &[1280]),
        "avif-fast" => ("format = \"avif\"\nquality = 60\neffort = 1", &[1280]),
        "png" => ("format = \"png\"", &[1280]),
        other => return Err(format!("unknown job {other:?}").into()),
    };
    let mut text = format!("[defaults]\n{defaults}\nmetadata = \"none\"\n");
    for width in widths {
        write!(text, "[[output]]\nkey = \"{width}.{{name}}\"\nresize = {{ width = {width} }}\n")?;
    }
    if job == "cells" {
        for cells in CELLS {
            write!(text, "[[output]]\nkey = \"{cells}.{{name}}\"\npixelate = {{ cells = {cells} }}\n")?;
        }
    }
    Ok(Recipe::parse(&text)?)
}

/// The extension that the harness expects of a job's files.
fn extension(job: &str) -> &str {
    match job {
        "webp" | "png" => job,
        "avif" | "avif-fast" => "avif",
        _ => "jpg",
    }
}

/// The defaults, and for the largest picture what an owner would raise for it.
fn limits(job: &str) -> Limits {
    match job {
        "100mp" => Limits { pixels: 120_000_000, memory: 2 << 30, ..Limits::default() },
        _ => Limits::default(),
    }
}

fn run(
    picture: &[u8],
    recipe: &Recipe,
    limits: &Limits,
    extension: &str,
) -> Result<Vec<Rendition>, minilab_imaging::Error> {
    let files = Mutex::new(Vec::new());
    // The collector outlives no panic: a poisoned lock still holds whole files.
    let sink = |file| files.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(file);
    render(picture, extension, recipe, limits, &sink)?;
    Ok(files.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// User and system time of every thread of this process.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// `VmHWM` of proc(5): the most physical memory this process has ever held.
fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM: not Linux?")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
