//! ARCHITECTURE.md's arrows, as tests: what each crate may depend on, and each file within its crate.

mod exceptions;
mod graph;
mod imports;
mod items;
mod rules;
mod tokens;

use std::collections::BTreeSet;
use std::path::Path;

fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies") && !line.contains("dev-dependencies");
        } else if inside
            && let Some((name, _)) = line.split_once(['=', '.'])
            && !line.starts_with([' ', '#', '}', ']'])
        {
            found.insert(name.trim().to_owned());
        }
    }
    assert!(!found.is_empty(), "{krate} has no dependencies: is the manifest read rightly?");
    found
}

/// Direct and indirect: what `cargo tree` says that the crate is built with.
fn tree(package: &str) -> BTreeSet<String> {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{lib}",
            "-p",
            package,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

const NETWORK: [&str; 10] =
    ["tokio", "hyper", "http", "reqwest", "aws_sdk_s3", "rustls", "socket2", "mio", "s3s", "axum"];

#[test]
fn our_crates_depend_on_each_other_one_way() {
    for (krate, allowed) in [
        ("pixels", vec![]),
        ("imaging", vec!["minilab-pixels"]),
        ("handler", vec!["minilab-imaging"]),
        ("s3-store", vec!["minilab-handler", "minilab-imaging"]),
        ("lambda", vec!["minilab-handler", "minilab-imaging", "minilab-s3-store", "minilab-telemetry"]),
        ("local", vec![]),
        ("console", vec!["minilab-local"]),
        ("telemetry", vec![]),
        (
            "cli",
            vec![
                "minilab-console",
                "minilab-handler",
                "minilab-imaging",
                "minilab-lambda",
                "minilab-local",
                "minilab-s3-store",
                "minilab-telemetry",
            ],
        ),
    ] {
        let ours: Vec<String> =
            dependencies(krate).into_iter().filter(|name| name.starts_with("minilab")).collect();
        assert!(ours.iter().all(|name| allowed.contains(&name.as_str())), "{krate} depends on {ours:?}");
    }
}

#[test]
fn pixels_imaging_and_handler_are_built_without_any_network_or_executor() {
    for package in ["minilab-pixels", "minilab-imaging", "minilab-handler"] {
        let tree = tree(package);
        for banned in NETWORK {
            assert!(!tree.contains(banned), "{package} is built with {banned}");
        }
    }
}

#[test]
fn the_function_is_built_without_a_tracer_unless_it_is_asked_for() {
    let tree = tree("minilab-lambda");
    assert!(!tree.contains("minilab_telemetry") && !tree.contains("opentelemetry_sdk"), "{tree:?}");
}

#[test]
fn the_small_cloud_is_built_without_any_codec() {
    let tree = tree("minilab-local");
    for banned in
        ["minilab_pixels", "minilab_imaging", "turbojpeg", "png", "gif", "libwebp_sys", "image", "moxcms"]
    {
        assert!(!tree.contains(banned), "minilab-local is built with {banned}");
    }
}
