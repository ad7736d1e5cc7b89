//! Finding and reading the recipe.

use std::path::Path;

use anyhow::{Context as _, bail};
use minilab_imaging::Recipe;

use crate::args::Args;

/// A recipe and where it came from.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) recipe: Recipe,
    /// The TOML, for handing on to the function.
    pub(crate) text: String,
    /// "minilab.toml", or "the built-in recipe".
    pub(crate) origin: String,
}

/// Reads `--config`, else `minilab.toml` beside the person, else the built-in
/// recipe.
pub(crate) fn load(args: &Args) -> anyhow::Result<Config> {
    let beside = Path::new("minilab.toml");
    let path = args.config.as_deref().or_else(|| beside.exists().then_some(beside));
    let (text, origin) = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the recipe {}", path.display()))?;
            (text, path.display().to_string())
        }
        None => (minilab_imaging::recipe::BUILT_IN.to_owned(), "the built-in recipe".to_owned()),
    };
    match Recipe::parse(&text) {
        Ok(recipe) => Ok(Config { recipe, text, origin }),
        Err(problems) if args.json => {
            println!("{}", serde_json::json!({ "recipe": origin, "problems": problems.0 }));
            bail!("{origin} has {}", count(problems.0.len()));
        }
        Err(problems) => {
            let list: Vec<String> = problems.0.iter().map(|problem| format!("\n  {problem}")).collect();
            bail!("{origin} has {}{}", count(problems.0.len()), list.concat());
        }
    }
}

fn count(problems: usize) -> String {
    format!("{problems} problem{}", if problems == 1 { "" } else { "s" })
}
