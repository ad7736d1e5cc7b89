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
        // Without it they are for the machine that prints them.
        let args = [args, &["--arch", "arm64"]].concat();
        let output = template(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert_eq!(printed, text(&template(folder.path(), &args).stdout), "{file} differs from run to run");
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

/// A recipe of so many outputs, each with a prefix of its own.
fn outputs(count: u32) -> String {
    let output = |number| format!("[[output]]\nkey = \"width-{number}/{{key}}\"\n");
    (0..count).map(output).collect::<Vec<_>>().concat()
}

#[test]
fn what_would_fail_in_the_account_fails_here_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let shared = "[source]\nbucket = \"one-bucket\"\nprefix = \"in/\"\n[processed]\nbucket = \"one-bucket\"\n\
                  [[output]]\nkey = \"out/{key}\"\n";
    std::fs::write(folder.path().join("shared.toml"), shared).unwrap();
    std::fs::write(folder.path().join("wide.toml"), outputs(200)).unwrap();
    for (args, words) in [
        (&["--name", "my function"][..], vec!["--name", "letters"]),
        (&["--log-retention", "31"], vec!["31", "30, 60"]),
        (&["--recipe-at", "settings/minilab.toml"], vec!["--recipe-at", "s3://settings/minilab.toml"]),
        (&["--recipe-at", "s3://settings/"], vec!["s3://settings/", "names no object"]),
        (&["--trigger", "sqs", "--concurrency", "1"], vec!["--concurrency 1", "give 2 or more"]),
        (&["--config", "wide.toml"], vec!["IAM leaves it 9600", "fewer prefixes"]),
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

#[test]
fn as_many_prefixes_as_iam_takes_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("minilab.toml"), outputs(120)).unwrap();
    let output = template(folder.path(), &["--format", "terraform"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

const LANGUAGES: [&str; 3] = ["cloudformation", "sam", "terraform"];

#[test]
fn a_queue_never_starts_more_than_may_run() {
    let folder = tempfile::tempdir().unwrap();
    for language in LANGUAGES {
        let most = |more: &[&str]| {
            let args = [&["--format", language, "--trigger", "sqs"], more].concat();
            let printed = text(&template(folder.path(), &args).stdout);
            let line = printed
                .lines()
                .find(|line| line.contains("MaximumConcurrency:") || line.contains("maximum_concurrency ="));
            line.unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap()
        };
        assert_eq!(most(&[]), 10, "{language}");
        assert_eq!(most(&["--concurrency", "2"]), 2, "{language}");
        assert_eq!(most(&["--concurrency", "5000"]), 1000, "{language}");
        // Alone with the direct trigger, one at a time is allowed.
        let direct = template(folder.path(), &["--format", language, "--concurrency", "1"]);
        assert_eq!(direct.status.code(), Some(0), "{}", text(&direct.stderr));
    }
}

#[test]
fn markers_of_deleted_objects_go_with_their_last_version() {
    let folder = tempfile::tempdir().unwrap();
    for language in LANGUAGES {
        let markers = |more: &[&str]| {
            let args = [&["--format", language], more].concat();
            let printed = text(&template(folder.path(), &args).stdout).to_ascii_lowercase().replace('_', "");
            printed.matches("expiredobjectdeletemarker").count()
        };
        assert_eq!(markers(&[]), 1, "{language}");
        assert_eq!(markers(&["--versioning", "both"]), 2, "{language}");
        assert_eq!(markers(&["--versioning", "none"]), 0, "{language}");
        // S3 does it by the rule of expiry.
        assert_eq!(markers(&["--expire-sources", "30"]), 0, "{language}");
    }
}

#[test]
fn buckets_outlive_their_stack_but_not_a_first_attempt_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    for language in ["cloudformation", "sam"] {
        let printed = text(&template(folder.path(), &["--format", language]).stdout);
        for bucket in ["SourceBucket", "ProcessedBucket"] {
            let resource = printed.split(&format!("  {bucket}:\n")).nth(1).unwrap();
            let head = resource.split("Properties:").next().unwrap();
            assert!(head.contains("\n    DeletionPolicy: RetainExceptOnCreate\n"), "{head}");
            assert!(head.contains("\n    UpdateReplacePolicy: Retain\n"), "{head}");
        }
    }
}

#[test]
fn the_function_is_for_this_machine_unless_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    for (args, expected) in
        [(&[][..], here), (&["--arch", "arm64"], "arm64"), (&["--arch", "x86_64"], "x86_64")]
    {
        let printed = text(&template(folder.path(), args).stdout);
        assert!(printed.contains(&format!("Architectures:\n        - {expected}\n")), "{args:?}\n{printed}");
    }
}
