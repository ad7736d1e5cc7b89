//! The real binary, as a person types it: what it prints, what it writes, how
//! it exits. Also renders docs/commands.md.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/photos");

fn minilab(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_minilab"))
        .args(args)
        .current_dir(folder)
        .env_remove("MINILAB_CONFIG")
        .env_remove("MINILAB_LOG")
        .env_remove("AWS_ENDPOINT_URL_S3")
        .env_remove("AWS_ENDPOINT_URL_SQS")
        .env_remove("NATS_URL")
        .env_remove("MINILAB_ACCESS_KEY_ID")
        .env_remove("MINILAB_SECRET_ACCESS_KEY")
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A small recipe: two prints, one with a key that depends on the picture.
const RECIPE: &str = r#"
[[output]]
key = "tiny/{key}"
pixelate = { cells = 4 }

[[output]]
key = "sized/{dir}{stem}_{width}x{height}.{ext}"
resize = { width = 40 }
format = "webp"
"#;

/// A folder with the recipe, one good picture and one text file with a picture's name.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("minilab.toml"), RECIPE).unwrap();
    let pictures = folder.path().join("in");
    std::fs::create_dir_all(pictures.join("a b")).unwrap();
    std::fs::copy(format!("{PHOTOS}/fig-cutout.png"), pictures.join("a b/fig +1%.png")).unwrap();
    folder
}

fn spoil(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("in/not a picture.jpg");
    std::fs::write(&path, "plain text").unwrap();
    path
}

#[test]
fn render_writes_prints_at_exactly_their_keys() {
    let folder = workplace();
    let output = minilab(folder.path(), &["render", "in", "--out", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for key in ["tiny/a b/fig +1%.png", "sized/a b/fig +1%_40x27.webp"] {
        assert!(folder.path().join("out").join(key).is_file(), "{key}\n{}", text(&output.stdout));
    }
    assert!(
        text(&output.stdout).contains("1 pictures, 2 prints, 0 rejected, 0 failed"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn render_prints_one_json_object_a_line_and_exits_1_when_a_picture_is_rejected() {
    let folder = workplace();
    spoil(&folder);
    let output = minilab(folder.path(), &["render", "in", "--out", "out", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let mut lines = lines(&output);
    lines.sort_by_key(|line| line["key"].as_str().unwrap().to_owned());
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["status"], &lines[0]["prints"][1]["width"]), (&"written".into(), &40.into()));
    assert_eq!((&lines[1]["status"], &lines[1]["code"]), (&"rejected".into(), &"not-an-image".into()));
    assert!(lines[1]["reason"].as_str().unwrap().contains("text"), "{}", lines[1]);
}

#[test]
fn a_file_that_is_rejected_is_named_with_its_reason() {
    let folder = workplace();
    spoil(&folder);
    let output = minilab(folder.path(), &["render", "in/not a picture.jpg", "--out", "out"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("rejected: in/not a picture.jpg: not an image"), "{errors}");
}

#[test]
fn what_cannot_be_run_exits_2_with_one_clear_line() {
    let folder = workplace();
    std::fs::write(folder.path().join("occupied"), "a file").unwrap();
    for (args, words) in [
        (vec!["render", "missing.jpg"], vec!["missing.jpg"]),
        (vec!["render", "in", "--config", "missing.toml"], vec!["missing.toml"]),
        (vec!["render", "in", "--out", "occupied"], vec!["occupied"]),
        (
            vec!["up", "--data-dir", "occupied", "--s3-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0"],
            vec!["occupied"],
        ),
        (vec!["up", "--data-dir", "data", "--s3-addr", "0.0.0.0:0"], vec!["0.0.0.0", "127.0.0.1"]),
    ] {
        let output = minilab(folder.path(), &args);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{args:?}: {errors}");
        assert!(words.iter().all(|word| errors.contains(word)), "{args:?}: {errors}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let folder = workplace();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let output = minilab(
        folder.path(),
        &["up", "--data-dir", "data", "--s3-addr", &addr, "--console-addr", "127.0.0.1:0"],
    );
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains(&addr) && errors.contains("in use"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn a_bad_recipe_exits_2_with_all_its_problems() {
    let folder = workplace();
    std::fs::write(
        folder.path().join("minilab.toml"),
        "[[output]]\nkey = \"{key\"\nquality = 0\n[[output]]\nkey = \"a/{key}\"\nsize = 3\n",
    )
    .unwrap();
    for command in [&["check"][..], &["render", "in"], &["demo"], &["up"]] {
        let output = minilab(folder.path(), command);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        for part in [
            "minilab.toml has 3 problems",
            "line 2: output[0].key",
            "line 3: output[0].quality = 0",
            "line 6: output[1].size",
        ] {
            assert!(errors.contains(part), "{command:?}: {part}\n{errors}");
        }
    }
    let output = minilab(folder.path(), &["check", "--json"]);
    assert_eq!(lines(&output)[0]["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn check_shows_outputs_policy_and_loop_proof() {
    let folder = tempfile::tempdir().unwrap();
    let output = minilab(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0));
    let page = text(&output.stdout);
    for part in [
        "pixelated-8x8-{key}",
        "8 × 8 cells",
        "inside 640 × any",
        "which triggers nothing",
        "\"s3:PutObject\"",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let policy = minilab(folder.path(), &["policy"]);
    let policy: Value = serde_json::from_slice(&policy.stdout).unwrap();
    let report = minilab(folder.path(), &["check", "--json"]);
    assert_eq!(lines(&report)[0]["policy"], policy);
}

#[test]
fn the_demo_brings_pictures_through_the_whole_cloud() {
    let folder = workplace();
    let spoilt = spoil(&folder);
    let output = minilab(folder.path(), &["demo", "in", "--out", "out", "--json"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines = lines(&output);
    let good = lines.iter().find(|line| line["status"] == "written").expect("a picture is printed");
    assert_eq!(good["prints"].as_array().unwrap().len(), 2, "{good}");
    for print in good["prints"].as_array().unwrap() {
        assert!(print["ms"].as_f64().unwrap() > 0.0, "{print}");
        assert!(folder.path().join("out").join(print["key"].as_str().unwrap()).is_file(), "{print}");
    }
    let bad = lines.iter().find(|line| line["status"] == "rejected").expect("a picture is rejected");
    assert_eq!(bad["code"], "not-an-image");
    std::fs::remove_file(spoilt).unwrap();

    // The same pictures without any cloud: the same bytes.
    let output = minilab(folder.path(), &["render", "in", "--out", "local"]);
    assert_eq!(output.status.code(), Some(0));
    for print in good["prints"].as_array().unwrap() {
        let key = print["key"].as_str().unwrap();
        let read = |out: &str| std::fs::read(folder.path().join(out).join(key)).unwrap();
        assert!(read("out") == read("local"), "{key} differs");
    }
}

/// The twin: one permission less, and the print does not appear.
#[test]
fn without_one_permission_the_print_is_missing_and_the_log_says_what_was_needed() {
    let folder = workplace();
    let mut policy: Value = serde_json::from_slice(&minilab(folder.path(), &["policy"]).stdout).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let write = statements.iter_mut().find(|statement| statement["Sid"] == "WritePrintsAndReports").unwrap();
    let resources = write["Resource"].as_array_mut().unwrap();
    let before = resources.len();
    resources.retain(|resource| !resource.as_str().unwrap().contains("/tiny/"));
    assert_eq!(resources.len(), before - 1);
    std::fs::write(folder.path().join("policy.json"), policy.to_string()).unwrap();

    let args = ["demo", "in", "--out", "out", "--json", "--policy", "policy.json", "--log", "warn"];
    let output = minilab(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    let line = &lines(&output)[0];
    assert_eq!(line["status"], "failed");
    assert!(line["reason"].as_str().unwrap().contains("tiny/{key}"), "{line}");
    assert!(!folder.path().join("out/tiny").exists());
    let log = text(&output.stderr);
    let needed = r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::minilab-processed/tiny/a b/fig +1%.png"}"#;
    assert!(log.contains(needed), "{log}");
}

/// Refreshed by `MINILAB_BLESS=1`.
#[test]
fn the_commands_page_is_what_the_binary_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = String::from(
        "# Commands\n\n<!-- Rendered from the code: MINILAB_BLESS=1 cargo test -p minilab -->\n\n\
         Exit status: 0 done, 1 some inputs rejected or failed, 2 usage or configuration.\n",
    );
    for command in [
        &[][..],
        &["demo"],
        &["up"],
        &["render"],
        &["check"],
        &["policy"],
        &["template"],
        &["package"],
        &["backfill"],
        &["failures"],
        &["failures", "list"],
        &["failures", "show"],
        &["failures", "retry"],
        &["worker"],
    ] {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let output = minilab(folder.path(), &args);
        assert!(output.status.success());
        let help = text(&output.stdout);
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let title = [&["minilab"], command].concat().join(" ");
        write!(page, "\n## {title}\n\n```text\n{}\n```\n", help.join("\n").trim_end()).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
    if option_env!("MINILAB_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "docs/commands.md is stale: MINILAB_BLESS=1 cargo test -p minilab");
}
