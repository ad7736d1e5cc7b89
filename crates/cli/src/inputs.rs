//! Local pictures and the source keys that they would have in a bucket.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use minilab_imaging::Recipe;
use walkdir::WalkDir;

/// A local file and its source key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

/// Names that every desktop leaves in folders; asking for a folder asks for its pictures.
const CLUTTER: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// Expands files and folders. A file's key is its name; a file in a folder has
/// its path below that folder. Both get the recipe's source prefix, as the
/// trigger asks. A file that is named is taken whatever it is; in a folder,
/// hidden files are left out.
pub(crate) fn collect(paths: &[PathBuf], recipe: &Recipe) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !metadata.is_dir() {
            let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
            inputs.push(Input { path: path.clone(), key: key(Path::new(name), recipe)? });
            continue;
        }
        let visible = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0 || !(name.starts_with('.') || CLUTTER.contains(&name.as_ref()))
        };
        let before = inputs.len();
        for entry in WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(visible) {
            let entry = entry.with_context(|| format!("cannot read the folder {}", path.display()))?;
            if entry.file_type().is_file() {
                let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
                inputs.push(Input { path: entry.path().to_owned(), key: key(below, recipe)? });
            }
        }
        if inputs.len() == before {
            bail!("the folder {} holds no files", path.display());
        }
    }
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for input in &inputs {
        if let Some(other) = seen.insert(&input.key, &input.path) {
            bail!(
                "{} and {} would have the same key {:?}; name their common folder instead, or rename one",
                other.display(),
                input.path.display(),
                input.key
            );
        }
    }
    Ok(inputs)
}

fn key(path: &Path, recipe: &Recipe) -> anyhow::Result<String> {
    let segments: Option<Vec<&str>> = path.iter().map(|segment| segment.to_str()).collect();
    let Some(segments) = segments else {
        bail!("the name of {} is not UTF-8, as object keys are; rename it", path.display());
    };
    Ok(format!("{}{}", recipe.source.prefix, segments.join("/")))
}

/// Where the print with `key` goes below `out`: exactly at its key.
pub(crate) fn place(out: &Path, key: &str) -> anyhow::Result<PathBuf> {
    let below = Path::new(key);
    let inside = below.components().all(|component| matches!(component, Component::Normal(_)));
    if !inside || key.ends_with('/') || key.contains('\0') {
        bail!("the print's key {key:?} is no path below {}; change the output's key", out.display());
    }
    Ok(out.join(below))
}

/// Writes a print, making its folders.
pub(crate) fn write(out: &Path, key: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let path = place(out, key)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_as_key_and_a_folder_its_tree() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jpg", "a/c d.png", ".hidden", "Thumbs.db", "a/.DS_Store"] {
            write(folder.path(), name, b"x").unwrap();
        }
        let recipe = Recipe::parse("[source]\nprefix = \"in/\"\n[[output]]\nkey = \"p/{key}\"\n").unwrap();
        let keys = |paths: &[PathBuf]| -> Vec<String> {
            collect(paths, &recipe).unwrap().into_iter().map(|input| input.key).collect()
        };
        assert_eq!(keys(&[folder.path().to_owned()]), ["in/a/c d.png", "in/b.jpg"]);
        assert_eq!(keys(&[folder.path().join("a/c d.png")]), ["in/c d.png"]);
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a/x.jpg", "b/x.jpg"].map(|name| write(folder.path(), name, b"x").unwrap());
        let error = collect(&paths, &Recipe::built_in()).unwrap_err().to_string();
        assert!(error.contains("same key \"x.jpg\""), "{error}");
    }

    #[test]
    fn no_print_leaves_the_folder() {
        let out = Path::new("/out");
        for key in ["../x", "a/../../x", "/x", "a/", "./x"] {
            assert!(place(out, key).is_err(), "{key}");
        }
        assert_eq!(place(out, "a/b.jpg").unwrap(), Path::new("/out/a/b.jpg"));
    }
}
