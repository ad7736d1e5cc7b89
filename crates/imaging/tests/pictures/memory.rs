//! The predicted peak of memory is an upper bound of the real one.
//!
//! A high-water mark knows no beginning, so each job runs in a process of its
//! own: this binary again, told what to do on its standard input.

use crate::corpus::head;
use minilab_imaging::{Limits, Recipe, render};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const JOB: &str = "memory::job";

/// Reads the picture's path and the recipe; prints the predicted and the
/// measured peak, in bytes.
#[test]
#[ignore = "a process of the test below"]
fn job() {
    let mut order = String::new();
    std::io::stdin().read_to_string(&mut order).unwrap();
    let (path, recipe) = order.split_once('\n').unwrap();
    let recipe = Recipe::parse(recipe).unwrap();
    let limits = Limits { memory: 8 << 30, ..recipe.limits };
    let before = resident("VmRSS:");
    let bytes = std::fs::read(path).unwrap();
    let summary = render(&bytes, "input.x", &recipe, &limits, &|_| ()).unwrap();
    let peak = resident("VmHWM:") - before;
    println!("\nPEAKS {} {peak}", summary.predicted_memory);
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn peaks(picture: &Path, recipe: &str) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", JOB, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "{}\n{recipe}", picture.display()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("PEAKS ")).unwrap_or_else(|| panic!("{text}"));
    let (predicted, peak) = line.split_once(' ').unwrap();
    (predicted.parse().unwrap(), peak.parse().unwrap())
}

#[test]
fn no_job_takes_more_memory_than_was_predicted() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos");
    let mut pictures: Vec<PathBuf> = std::fs::read_dir(photos)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "md"))
        .collect();
    pictures.sort();
    assert!(!pictures.is_empty());
    let output = |key: &str, rest: &str| format!("[[output]]\nkey = \"{key}-{{key}}\"\n{rest}\n");
    let every_format: String = ["jpeg", "png", "webp", "gif"]
        .map(|f| output(f, &format!("format = \"{f}\"\nquality = 95\nresize = {{ width = 1500 }}")))
        .concat();
    let whole = ["jpeg", "webp"].map(|f| output(f, &format!("format = \"{f}\""))).concat();
    let recipes = [
        ("built-in", minilab_imaging::recipe::BUILT_IN.to_owned()),
        ("formats", head() + &every_format),
        ("whole", head() + &whole),
    ];
    let mut over = Vec::new();
    for picture in &pictures {
        let name = picture.file_name().unwrap().to_str().unwrap();
        for (recipe_name, recipe) in &recipes {
            let (predicted, peak) = peaks(picture, recipe);
            let line =
                format!("{name} {recipe_name}: predicted {} MiB, peak {} MiB", predicted >> 20, peak >> 20);
            println!("{line}");
            if peak > predicted {
                over.push(line);
            }
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}
