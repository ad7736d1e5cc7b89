//! `minilab check` and `minilab policy`: what a recipe means before it runs.

use std::io::Write as _;

use anyhow::Context as _;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Format, FormatChoice, Output, Quality};
use serde_json::json;

use crate::config;
use crate::ending::Ending;
use crate::globals::Globals;
use crate::options::KeyOptions;
use crate::table::Table;

pub(crate) fn run(globals: &Globals) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let recipe = &config.recipe;
    let proof = recipe.loop_proof().context("the recipe could trigger itself")?;
    let mut out = std::io::stdout().lock();
    if globals.json {
        let outputs: Vec<_> = recipe
            .outputs
            .iter()
            .zip(&proof.outputs)
            .map(|(output, proven)| json!({ "key": output.key, "makes": makes(output), "format": format(output), "loop_proof": proven.to_string() }))
            .collect();
        let report = json!({
            "recipe": config.origin,
            "digest": recipe.digest(),
            "source": recipe.source,
            "processed": recipe.processed,
            "limits": recipe.limits,
            "outputs": outputs,
            "reports_loop_proof": proof.reports.to_string(),
            "policy": minilab_lambda::policy::document(recipe),
            "warnings": recipe.warnings(),
        });
        writeln!(out, "{report}")?;
        return Ok(Ending::Done);
    }
    if globals.quiet {
        return Ok(Ending::Done);
    }

    writeln!(out, "{} is valid (digest {})\n", config.origin, recipe.digest())?;
    writeln!(out, "  source     s3://{}/{}*", recipe.source.bucket, recipe.source.prefix)?;
    writeln!(out, "  processed  s3://{}/", recipe.processed.bucket)?;
    writeln!(out, "  limits     {}\n", limits(recipe))?;
    let mut table = Table::new(&["output", "makes", "format", "quality>", "cache"]);
    for output in &recipe.outputs {
        let quality = match output.quality {
            _ if output.format.is_document() => "-".to_owned(),
            Quality::Fixed(quality) => quality.to_string(),
            Quality::Auto { target } => format!("auto {target}"),
        };
        let cells =
            [output.key.to_string(), makes(output), format(output), quality, output.cache_control.clone()];
        table.row(cells);
    }
    writeln!(out, "{}", table.render())?;

    writeln!(out, "No print can trigger the function again:")?;
    for (output, proven) in recipe.outputs.iter().zip(&proof.outputs) {
        writeln!(out, "  {}: {proven}", output.key)?;
    }
    writeln!(out, "  failures/…: {}\n", proof.reports)?;

    writeln!(out, "The function's role, and why:")?;
    for grant in minilab_lambda::policy::grants(recipe) {
        writeln!(out, "  {}: {}; {}", grant.sid, grant.actions.join(", "), grant.why)?;
    }
    let document = serde_json::to_string_pretty(&minilab_lambda::policy::document(recipe))?;
    writeln!(out, "\n{document}")?;
    for warning in recipe.warnings() {
        writeln!(out, "\nwarning: {warning}")?;
    }
    Ok(Ending::Done)
}

pub(crate) fn policy(globals: &Globals, options: &KeyOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    let document = minilab_lambda::policy::document_with(&config.recipe, &options.keys());
    let document = serde_json::to_string_pretty(&document)?;
    writeln!(std::io::stdout(), "{document}")?;
    Ok(Ending::Done)
}

fn limits(recipe: &Recipe) -> String {
    let limits = &recipe.limits;
    format!(
        "{} MB a file, {} megapixels, {} pixels a side, {} frames, {} MB of memory a picture",
        limits.input_bytes >> 20,
        limits.pixels / 1_000_000,
        limits.side,
        limits.frames,
        limits.memory >> 20
    )
}

fn format(output: &Output) -> String {
    match &output.format {
        FormatChoice::Source => "source".to_owned(),
        FormatChoice::Fixed(format) => format.name().to_owned(),
        FormatChoice::Auto(formats) => {
            formats.iter().map(|format| format.name()).collect::<Vec<_>>().join("/")
        }
        FormatChoice::Manifest | FormatChoice::Placeholder => Format::Json.name().to_owned(),
    }
}

/// "inside 1280 × any", "8 × 8 cells", or both.
fn makes(output: &Output) -> String {
    match output.format {
        FormatChoice::Manifest => return "a list of the prints".to_owned(),
        FormatChoice::Placeholder => return "a placeholder".to_owned(),
        _ => {}
    }
    let parts = output.operations();
    if parts.is_empty() { "the same size".to_owned() } else { parts.join(", then ") }
}
