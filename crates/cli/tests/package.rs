//! `minilab package`: what is in the zip, that it is the same every time, and
//! what is refused before it is made.
#![cfg(target_env = "gnu")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const LOGO: &[u8] = include_bytes!("../../../tests/golden/png/rgb8/input.png");

const RECIPE: &str = r#"
[[output]]
key = "marked/{key}"
watermark = { image = "brand/logo.png" }
"#;

/// A folder with a small program, a recipe, and the recipe's picture.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("minilab.toml"), RECIPE).unwrap();
    std::fs::create_dir(at("brand")).unwrap();
    std::fs::write(at("brand/logo.png"), LOGO).unwrap();
    std::fs::write(at("main.c"), "int main(void) { return 0; }\n").unwrap();
    // The compiler that the build needs in any case.
    let made = Command::new("cc").args(["-o", "bootstrap", "main.c"]).current_dir(folder.path()).output();
    let made = made.expect("a C compiler");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn package(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_minilab"))
        .args(["package", "--bootstrap", "bootstrap"])
        .args(args)
        .current_dir(folder.path())
        .env_remove("MINILAB_CONFIG")
        .output()
        .unwrap()
}

fn made(folder: &TempDir, args: &[&str]) -> Value {
    let output = package(folder, &[args, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(folder: &TempDir, args: &[&str]) -> String {
    let output = package(folder, args);
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path().join("dist").exists(), "nothing is left behind");
    String::from_utf8(output.stderr).unwrap()
}

/// Names, with the mode and the bytes of each.
fn unpacked(zip: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let bytes = std::fs::read(zip).unwrap();
    let archive = rawzip::ZipArchive::from_slice(&bytes).unwrap();
    let mut files = BTreeMap::new();
    for entry in archive.entries() {
        let entry = entry.unwrap();
        let name = String::from_utf8(entry.file_path().as_ref().to_vec()).unwrap();
        let mut data = vec![0; entry.uncompressed_size_hint() as usize];
        let packed = archive.get_entry(entry.wayfinder()).unwrap();
        libdeflater::Decompressor::new().deflate_decompress(packed.data(), &mut data).unwrap();
        assert_eq!(libdeflater::crc32(&data), entry.crc32(), "{name}");
        files.insert(name, (entry.mode().value(), data));
    }
    files
}

/// The program with another value at `at`.
fn changed(folder: &TempDir, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.path().join("bootstrap");
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_package_holds_the_program_the_recipe_and_its_pictures_and_nothing_else() {
    let folder = workplace();
    let told = made(&folder, &[]);
    let zip = folder.path().join("dist/bootstrap.zip");
    let files = unpacked(&zip);
    let program = std::fs::read(folder.path().join("bootstrap")).unwrap();
    let expected = BTreeMap::from([
        ("bootstrap".to_owned(), (0o100_755, program)),
        ("brand/logo.png".to_owned(), (0o100_644, LOGO.to_vec())),
        ("minilab.toml".to_owned(), (0o100_644, RECIPE.as_bytes().to_vec())),
    ]);
    assert_eq!(files, expected);
    assert_eq!(told["files"], json!(["bootstrap", "brand/logo.png", "minilab.toml"]));
    assert_eq!(told["bytes"], std::fs::metadata(&zip).unwrap().len());
    assert_eq!(told["arch"], if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" });
    assert!(told["glibc"].as_str().unwrap().starts_with("2."), "{told}");
    assert_eq!(told["recipe"]["from"], "minilab.toml");
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let folder = workplace();
    let zip = |out: &str| -> Vec<u8> {
        made(&folder, &["--out", out]);
        std::fs::read(folder.path().join(out)).unwrap()
    };
    let first = zip("one.zip");
    // Neither the time nor the place counts.
    for name in ["bootstrap", "minilab.toml", "brand/logo.png"] {
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(first == zip("elsewhere/two.zip"));
}

#[test]
fn the_recipe_may_be_left_to_the_environment() {
    let folder = workplace();
    let told = made(&folder, &["--no-recipe"]);
    assert_eq!((&told["files"], &told["recipe"]), (&json!(["bootstrap"]), &json!(null)));
    std::fs::remove_file(folder.path().join("minilab.toml")).unwrap();
    assert_eq!(made(&folder, &[])["files"], json!(["bootstrap"]), "the built-in recipe is in the program");
}

#[test]
fn what_lambda_could_not_start_is_refused() {
    let folder = workplace();
    let newer = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(11).position(|found| found.starts_with(b"GLIBC_2.") && found[10] == 0);
        let at = at.expect("it names a version of two digits");
        bytes[at..at + 10].copy_from_slice(b"GLIBC_2.99");
    };
    changed(&folder, newer);
    let told = refused(&folder, &[]);
    assert!(told.contains("needs glibc 2.99 for ") && told.contains("has 2.34"), "{told}");
    changed(&folder, |bytes| *bytes = b"#!/bin/sh\n".to_vec());
    let told = refused(&folder, &[]);
    assert!(told.contains("not in the ELF format"), "{told}");
    std::fs::remove_file(folder.path().join("bootstrap")).unwrap();
    assert!(refused(&folder, &[]).contains("cannot read the program bootstrap"));
}

#[test]
fn a_program_for_another_processor_is_named_and_refused_where_another_is_asked_for() {
    let folder = workplace();
    // e_machine of the ELF header: AArch64.
    changed(&folder, |bytes| bytes[18..20].copy_from_slice(&183_u16.to_le_bytes()));
    let told = refused(&folder, &["--arch", "x86_64"]);
    assert!(told.contains("is a program for arm64, and --arch asks for x86_64"), "{told}");
    assert_eq!(made(&folder, &["--arch", "arm64"])["arch"], "arm64");
}

#[test]
fn a_recipe_that_the_function_would_refuse_is_refused_here() {
    let folder = workplace();
    let recipe: PathBuf = folder.path().join("minilab.toml");
    for (text, words) in [
        ("[[output]]\nkey = \"a/{key}\"\nqualitty = 3\n", "line 3"),
        (
            "[source]\nbucket = \"b-1\"\n[processed]\nbucket = \"b-1\"\n[[output]]\nkey = \"a/{key}\"\n",
            "trigger",
        ),
        ("[[output]]\nkey = \"a/{key}\"\nwatermark = { image = \"gone.png\" }\n", "gone.png"),
        (
            "[[output]]\nkey = \"a/{key}\"\nwatermark = { image = \"brand/../brand/logo.png\" }\n",
            "brand/../brand",
        ),
    ] {
        std::fs::write(&recipe, text).unwrap();
        let told = refused(&folder, &[]);
        assert!(told.contains(words), "{words} in {told}");
    }
}
