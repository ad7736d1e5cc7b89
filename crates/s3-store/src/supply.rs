//! The pictures that a recipe keeps in the processed bucket. Owns loading them
//! before the first event.

use crate::store::S3Store;
use minilab_handler::Store as _;
use minilab_handler::store::Object;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::Asset;
use thiserror::Error;

/// A recipe's pictures cannot be loaded: whoever wrote the recipe must act.
/// Lists every problem, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .problems.join("\n"))]
pub struct SupplyError {
    /// Each names the picture, and the remedy.
    pub problems: Vec<String>,
}

/// Loads the pictures that the recipe keeps in the processed bucket, each of at
/// most the recipe's `limits.input_mb`.
///
/// # Errors
/// All problems at once.
pub async fn supply(recipe: &mut Recipe, store: &S3Store) -> Result<(), SupplyError> {
    let max_bytes = recipe.limits.input_bytes;
    let mut problems = Vec::new();
    for asset in recipe.missing_assets() {
        let problem = match &asset {
            Asset::File(path) => Err(format!("the recipe's watermark {path} is not beside it")),
            Asset::Object(key) => {
                let bucket = recipe.processed.bucket.clone();
                let name = format!("the recipe's watermark s3://{bucket}/{key}");
                match store.get(&bucket, key, max_bytes).await {
                    Ok(Some(Object::Whole { bytes, .. })) => recipe
                        .supply(asset.clone(), bytes.to_vec())
                        .map_err(|error| format!("{name} is no picture to use: {error}")),
                    Ok(Some(Object::Oversize { .. })) => Err(format!("{name} is over limits.input_mb")),
                    Ok(None) => Err(format!("{name} does not exist; upload it")),
                    Err(error) => Err(format!("{name} cannot be read: {error}")),
                }
            }
        };
        problems.extend(problem.err());
    }
    if problems.is_empty() { Ok(()) } else { Err(SupplyError { problems }) }
}
