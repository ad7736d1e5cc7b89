//! Finding and reading the recipe.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use minilab_imaging::Recipe;
use minilab_imaging::recipe::Asset;

use crate::globals::Globals;

/// A recipe and where it came from.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) recipe: Recipe,
    /// The TOML, for handing on to the function.
    pub(crate) text: String,
    /// "minilab.toml", or "the built-in recipe".
    pub(crate) origin: String,
    /// Where the recipe's own files lie.
    pub(crate) folder: PathBuf,
    /// Its file, if it is in one.
    pub(crate) path: Option<PathBuf>,
}

/// Reads `--config`, else `minilab.toml` beside the person, else the built-in
/// recipe.
pub(crate) fn load(globals: &Globals) -> anyhow::Result<Config> {
    let beside = Path::new("minilab.toml");
    let path = globals.config.as_deref().or_else(|| beside.exists().then_some(beside));
    let (text, origin) = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the recipe {}", path.display()))?;
            (text, path.display().to_string())
        }
        None => (minilab_imaging::recipe::BUILT_IN.to_owned(), "the built-in recipe".to_owned()),
    };
    let folder = path.and_then(Path::parent).unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match Recipe::parse(&text) {
        Ok(mut recipe) => {
            supply(&mut recipe, folder)?;
            // The function may be started elsewhere.
            let folder = std::path::absolute(folder).context("cannot find the recipe's folder")?;
            Ok(Config { recipe, text, origin, folder, path: path.map(Path::to_owned) })
        }
        Err(problems) if globals.json => {
            println!("{}", serde_json::json!({ "recipe": origin, "problems": problems.0 }));
            bail!("{origin} has {}", count(problems.0.len()));
        }
        Err(problems) => {
            let list: Vec<String> = problems.0.iter().map(|problem| format!("\n  {problem}")).collect();
            bail!("{origin} has {}{}", count(problems.0.len()), list.concat());
        }
    }
}

/// Reads the watermarks that lie beside the recipe. Those in the processed
/// bucket are the function's to load.
pub(crate) fn supply(recipe: &mut Recipe, folder: &Path) -> anyhow::Result<()> {
    for asset in recipe.missing_assets() {
        let Asset::File(name) = &asset else { continue };
        let path = folder.join(name);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("cannot read the recipe's watermark {}", path.display()))?;
        recipe
            .supply(asset.clone(), bytes)
            .with_context(|| format!("the recipe's watermark {} is no picture to use", path.display()))?;
    }
    Ok(())
}

fn count(problems: usize) -> String {
    format!("{problems} problem{}", if problems == 1 { "" } else { "s" })
}
