//! The examples under deploy/ are what `minilab template` prints, and what it
//! prints does not differ from run to run. tests/deploy says what they are worth.

use std::path::Path;
use std::process::{Command, Output};

fn template(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_minilab"))
        .arg("template")
        .args(args)
        .current_dir(folder)
        .env_remove("MINILAB_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Refreshed by `MINILAB_BLESS=1`.
#[test]
fn the_examples_are_what_the_binary_prints() {
    let folder = tempfile::tempdir().unwrap();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for (file, args) in [
        ("cloudformation.yaml", &["--format", "cloudformation"][..]),
        ("cloudformation-sqs.yaml", &["--format", "cloudformation", "--trigger", "sqs"]),
        ("sam.yaml", &["--format", "sam"]),
        ("sam-sqs.yaml", &["--format", "sam", "--trigger", "sqs"]),
        ("terraform/main.tf", &["--format", "terraform"]),
        ("terraform-sqs/main.tf", &["--format", "terraform", "--trigger", "sqs"]),
    ] {
        let output = template(folder.path(), args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert_eq!(printed, text(&template(folder.path(), args).stdout), "{file} differs from run to run");
        assert!(printed.lines().all(|line| line == line.trim_end()), "{file} has trailing spaces");
        let path = deploy.join(file);
        if option_env!("MINILAB_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &printed).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == printed, "deploy/{file} is stale: MINILAB_BLESS=1 cargo test -p minilab");
    }
}

#[test]
fn what_would_fail_in_the_account_fails_here_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let shared = "[source]\nbucket = \"one-bucket\"\nprefix = \"in/\"\n[processed]\nbucket = \"one-bucket\"\n\
                  [[output]]\nkey = \"out/{key}\"\n";
    std::fs::write(folder.path().join("shared.toml"), shared).unwrap();
    for (args, words) in [
        (&["--name", "my function"][..], vec!["--name", "letters"]),
        (&["--log-retention", "31"], vec!["31", "30, 60"]),
        (&["--recipe-at", "settings/minilab.toml"], vec!["--recipe-at", "s3://settings/minilab.toml"]),
        (&["--recipe-at", "s3://settings/"], vec!["s3://settings/", "names no object"]),
        (&["--alarm-topic", "ops"], vec!["--alarm-topic", "arn:aws:sns:"]),
        (&["--source-kms-key", "alias/mine"], vec!["--source-kms-key", "alias"]),
        (&["--config", "shared.toml", "--expire-prints", "30"], vec!["one-bucket", "--expire-prints"]),
        (&["--config", "shared.toml", "--existing-source"], vec!["one-bucket", "--existing-processed"]),
    ] {
        let output = template(folder.path(), args);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert!(words.iter().all(|word| errors.contains(word)), "{args:?}: {errors}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
    }
}

#[test]
fn a_recipe_that_does_not_fit_in_the_environment_is_left_to_the_zip() {
    let folder = tempfile::tempdir().unwrap();
    let recipe =
        format!("{}# {}\n", include_str!("../../imaging/src/recipe/built_in.toml"), "x".repeat(3000));
    std::fs::write(folder.path().join("minilab.toml"), recipe).unwrap();
    for format in ["cloudformation", "terraform"] {
        let printed = text(&template(folder.path(), &["--format", format]).stdout);
        assert!(!printed.contains("MINILAB_RECIPE"), "{printed}");
        assert!(printed.contains("in the zip, as minilab.toml: it is too long"), "{printed}");
    }
}

#[test]
fn a_recipe_in_a_bucket_is_named_to_the_function_and_its_role() {
    let folder = tempfile::tempdir().unwrap();
    for (format, variable) in [
        ("cloudformation", "MINILAB_CONFIG: \"s3://settings/live/minilab.toml\""),
        ("sam", "MINILAB_CONFIG: \"s3://settings/live/minilab.toml\""),
        ("terraform", "MINILAB_CONFIG = \"s3://settings/live/minilab.toml\""),
    ] {
        let args = ["--format", format, "--recipe-at", "s3://settings/live/minilab.toml"];
        let output = template(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert!(printed.contains(variable), "{printed}");
        assert!(printed.contains("arn:aws:s3:::settings/live/minilab.toml"), "{printed}");
        assert!(!printed.contains("MINILAB_RECIPE"), "{printed}");
    }
}
