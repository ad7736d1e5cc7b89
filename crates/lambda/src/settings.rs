//! What the function is started with: a pure function of the environment's
//! variables. Owns their names and what they mean; refuses to read them (only
//! a `main` does) and to start with a wrong one.

use crate::metrics;
use minilab_imaging::recipe::Asset;
use minilab_imaging::{Limits, Recipe};
use minilab_s3_store::{Credentials, Endpoint, S3Access, SupplyError};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use tracing::Level;

/// Everything that the function needs to know before its first event.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is made.
    pub recipe: Arc<Recipe>,
    /// What one picture may cost here: the recipe's limits, or less where the
    /// function has less memory.
    pub limits: Limits,
    /// Who asks the store.
    pub credentials: Credentials,
    /// The region of the buckets.
    pub region: String,
    /// Another S3 than AWS's own.
    pub endpoint: Option<Endpoint>,
    /// The least important level that is logged.
    pub log_level: Level,
    /// What the function is called.
    pub function_name: String,
    /// The namespace of its CloudWatch metrics; `None` for no metrics.
    pub metrics: Option<String>,
}

/// The function cannot start. Lists every problem, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .problems.join("\n"))]
pub struct SettingsError {
    /// Each names the variable, its value where it is not secret, and the remedy.
    pub problems: Vec<String>,
}

impl From<SupplyError> for SettingsError {
    fn from(SupplyError { problems }: SupplyError) -> Self {
        Self { problems }
    }
}

/// Where the recipe comes from when no variable gives it.
const RECIPE_FILE: &str = "minilab.toml";

/// What the process takes beside the picture: code, client, connections.
const OWN_MEMORY: u64 = 48 << 20;

impl Settings {
    /// How to reach the buckets.
    pub(crate) fn access(&self) -> S3Access {
        S3Access {
            credentials: self.credentials.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
        }
    }

    /// Reads settings from the environment's variables. `read` reads the file
    /// at a path; `Ok(None)` when there is none.
    ///
    /// The recipe is `MINILAB_RECIPE` (TOML), else the file that
    /// `MINILAB_CONFIG` names, else `minilab.toml` in `LAMBDA_TASK_ROOT`, else
    /// the built-in one; `MINILAB_SOURCE_BUCKET` and
    /// `MINILAB_PROCESSED_BUCKET` replace its buckets.
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` (MiB) bounds the memory limit,
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names another S3 than AWS's,
    /// `AWS_LAMBDA_LOG_LEVEL` the log level, `MINILAB_METRICS_NAMESPACE` the
    /// namespace of the metrics (`off` for none).
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_variables(
        variables: &BTreeMap<String, String>,
        read: impl Fn(&str) -> std::io::Result<Option<Vec<u8>>>,
    ) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let value = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let recipe = recipe(&value, read).map_err(|mut found| problems.append(&mut found)).ok();

        let mut required = |name: &str, remedy: &str| {
            let missing = || {
                problems.push(format!("{name} is not set; {remedy}"));
                String::new()
            };
            value(name).map_or_else(missing, str::to_owned)
        };
        let platform = "this program is started by AWS Lambda, or by `minilab up` on your own machine";
        for name in ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_VERSION"] {
            required(name, platform);
        }
        let function_name = required("AWS_LAMBDA_FUNCTION_NAME", platform);
        let memory = required("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", platform);
        let role = "the function's role provides it";
        let credentials = Credentials {
            access_key_id: required("AWS_ACCESS_KEY_ID", role),
            secret_access_key: required("AWS_SECRET_ACCESS_KEY", role),
            session_token: value("AWS_SESSION_TOKEN").map(str::to_owned),
        };
        let region = match value("AWS_REGION") {
            Some(region) => region.to_owned(),
            None => required("AWS_DEFAULT_REGION", "set it, or AWS_REGION, to the buckets' region"),
        };

        let memory = if memory.is_empty() {
            None
        } else {
            memory_limit(&memory).map_err(|problem| problems.push(problem)).ok()
        };
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find_map(|name| {
            let parsed = Endpoint::parse(value(name)?).map_err(|problem| format!("{name}: {problem}"));
            parsed.map_err(|problem| problems.push(problem)).ok()
        });
        let log_level = match value("AWS_LAMBDA_LOG_LEVEL").map(|level| (level, log_level(level))) {
            None => Level::INFO,
            Some((_, Some(level))) => level,
            Some((text, None)) => {
                problems.push(format!(
                    "AWS_LAMBDA_LOG_LEVEL is {text:?}; use TRACE, DEBUG, INFO, WARN, ERROR or FATAL"
                ));
                Level::INFO
            }
        };
        let metrics = metrics_namespace(value("MINILAB_METRICS_NAMESPACE"))
            .map_err(|problem| problems.push(problem))
            .unwrap_or_default();
        match (recipe, memory) {
            (Some(recipe), Some(memory)) if problems.is_empty() => {
                let limits = Limits { memory: recipe.limits.memory.min(memory), ..recipe.limits };
                let recipe = Arc::new(recipe);
                Ok(Self { recipe, limits, credentials, region, endpoint, log_level, function_name, metrics })
            }
            _ => Err(SettingsError { problems }),
        }
    }
}

/// Lambda's own names for levels; `FATAL` is as quiet as logging gets.
fn log_level(name: &str) -> Option<Level> {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => Some(Level::TRACE),
        "DEBUG" => Some(Level::DEBUG),
        "INFO" => Some(Level::INFO),
        "WARN" => Some(Level::WARN),
        "ERROR" | "FATAL" => Some(Level::ERROR),
        _ => None,
    }
}

/// A namespace has at most 255 of these characters and does not begin with a
/// colon or AWS's own prefix (`PutMetricData` in the CloudWatch API Reference).
fn metrics_namespace(given: Option<&str>) -> Result<Option<String>, String> {
    let text = match given {
        None => metrics::NAMESPACE,
        Some("off") => return Ok(None),
        Some(text) => text,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/#: ".contains(&byte);
    if text.len() > 255
        || !text.bytes().all(allowed)
        || text.starts_with([':', ' '])
        || text.starts_with("AWS/")
    {
        return Err(format!(
            "MINILAB_METRICS_NAMESPACE is {text:?}; use letters, digits and . _ - / #, or off for no metrics"
        ));
    }
    Ok(Some(text.to_owned()))
}

/// What a picture may take of a function's memory, in bytes: four fifths, less
/// the process itself. The rest is the allocator's and the uploads'.
fn memory_limit(mebibytes: &str) -> Result<u64, String> {
    let problem =
        || format!("AWS_LAMBDA_FUNCTION_MEMORY_SIZE is {mebibytes:?}; it is a number of MiB of at least 128");
    let size: u64 = mebibytes.parse().map_err(|_| problem())?;
    if !(128..=1 << 20).contains(&size) {
        return Err(problem());
    }
    Ok((size << 20) / 5 * 4 - OWN_MEMORY)
}

fn recipe<'a>(
    value: &impl Fn(&str) -> Option<&'a str>,
    read: impl Fn(&str) -> std::io::Result<Option<Vec<u8>>>,
) -> Result<Recipe, Vec<String>> {
    let file = |path: &str| read(path).map_err(|error| vec![format!("{path} cannot be read: {error}")]);
    let text = |path: &str| {
        let utf8 = |bytes| String::from_utf8(bytes).map_err(|_| vec![format!("{path} is no UTF-8 text")]);
        file(path)?.map(utf8).transpose()
    };
    let parse = |toml: &str, from: &str| {
        Recipe::parse(toml)
            .map_err(|problems| vec![format!("the recipe in {from} is not valid:\n{problems}")])
    };
    let mut recipe = if let Some(toml) = value("MINILAB_RECIPE") {
        parse(toml, "MINILAB_RECIPE")?
    } else if let Some(path) = value("MINILAB_CONFIG") {
        let toml =
            text(path)?.ok_or_else(|| vec![format!("MINILAB_CONFIG names {path}, which does not exist")])?;
        parse(&toml, path)?
    } else if let Some(root) = value("LAMBDA_TASK_ROOT") {
        let path = format!("{}/{RECIPE_FILE}", root.trim_end_matches('/'));
        match text(&path)? {
            Some(toml) => parse(&toml, &path)?,
            None => Recipe::built_in(),
        }
    } else {
        Recipe::built_in()
    };
    let source = value("MINILAB_SOURCE_BUCKET");
    let processed = value("MINILAB_PROCESSED_BUCKET");
    if source.is_some() || processed.is_some() {
        recipe = with_buckets(recipe, source, processed)?;
    }
    supply_files(&mut recipe, &folder(value), file)?;
    Ok(recipe)
}

/// Where the recipe's files lie: `MINILAB_FOLDER`, else the folder of
/// `MINILAB_CONFIG`, else `LAMBDA_TASK_ROOT`.
fn folder<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> String {
    let beside = |path: &'a str| path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let folder = value("MINILAB_FOLDER").or_else(|| value("MINILAB_CONFIG").map(beside));
    folder.or_else(|| value("LAMBDA_TASK_ROOT")).unwrap_or(".").trim_end_matches('/').to_owned()
}

fn supply_files(
    recipe: &mut Recipe,
    folder: &str,
    file: impl Fn(&str) -> Result<Option<Vec<u8>>, Vec<String>>,
) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for asset in recipe.missing_assets() {
        let Asset::File(name) = &asset else { continue };
        let path = format!("{folder}/{name}");
        match file(&path) {
            Ok(Some(bytes)) => problems.extend(
                recipe
                    .supply(asset.clone(), bytes)
                    .err()
                    .map(|error| format!("the recipe's watermark {path} is no picture to use: {error}")),
            ),
            Ok(None) => problems.push(format!("the recipe's watermark {path} does not exist")),
            Err(mut unreadable) => problems.append(&mut unreadable),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn with_buckets(
    mut recipe: Recipe,
    source: Option<&str>,
    processed: Option<&str>,
) -> Result<Recipe, Vec<String>> {
    if let Some(bucket) = source {
        bucket.clone_into(&mut recipe.source.bucket);
    }
    if let Some(bucket) = processed {
        bucket.clone_into(&mut recipe.processed.bucket);
    }
    // The proof was made for the recipe's own buckets.
    if recipe.loop_proof().is_some() {
        return Ok(recipe);
    }
    Err(vec![format!(
        "with MINILAB_SOURCE_BUCKET and MINILAB_PROCESSED_BUCKET as they are, sources and prints share the bucket {} \
         and a print could trigger the function again; name two buckets",
        recipe.source.bucket
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(extra: &[(&str, &str)]) -> BTreeMap<String, String> {
        [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("AWS_LAMBDA_FUNCTION_NAME", "minilab"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2Vj"),
            ("AWS_REGION", "eu-central-1"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
        ]
        .iter()
        .chain(extra)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
    }

    const OTHER: &str = "[source]\nbucket = \"film\"\n[processed]\nbucket = \"paper\"\n\
                         [[output]]\nkey = \"prints/{key}\"\nresize = { width = 100 }\n";

    #[expect(clippy::unnecessary_wraps, reason = "stands for a function that reads")]
    fn no_files(_: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    #[test]
    fn the_recipe_comes_from_the_first_place_that_has_one() {
        let file =
            |wanted: &'static str| move |path: &str| Ok((path == wanted).then(|| OTHER.as_bytes().to_vec()));
        let bucket = |extra: &[(&str, &str)], path: &'static str| {
            Settings::from_variables(&variables(extra), file(path)).map(|s| s.recipe.source.bucket.clone())
        };
        assert_eq!(bucket(&[], "none"), Ok(Recipe::built_in().source.bucket), "no place has one");
        assert_eq!(bucket(&[], "/var/task/minilab.toml"), Ok("film".to_owned()));
        assert_eq!(bucket(&[("MINILAB_CONFIG", "/r.toml")], "/r.toml"), Ok("film".to_owned()));
        assert_eq!(bucket(&[("MINILAB_RECIPE", OTHER)], "none"), Ok("film".to_owned()));
        assert_eq!(
            bucket(&[("MINILAB_SOURCE_BUCKET", "mine"), ("MINILAB_RECIPE", OTHER)], "none"),
            Ok("mine".to_owned())
        );
        let missing = bucket(&[("MINILAB_CONFIG", "/r.toml")], "none").expect_err("a named file must exist");
        assert!(missing.problems[0].contains("/r.toml, which does not exist"), "{missing}");
    }

    #[test]
    fn memory_is_bounded_by_the_function_and_never_raised() {
        for (mebibytes, expected) in
            [("128", 54 << 20), ("512", 361 << 20), ("1024", 768 << 20), ("10240", 768 << 20)]
        {
            let variables = variables(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", mebibytes)]);
            let limits = Settings::from_variables(&variables, no_files).expect("valid").limits;
            assert_eq!(limits.memory >> 20, expected >> 20, "{mebibytes} MiB");
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let mut variables = variables(&[
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots"),
            ("AWS_ENDPOINT_URL", "localhost:9000"),
            ("MINILAB_RECIPE", "[source]\nbuckets = 1\n"),
        ]);
        variables.remove("AWS_REGION");
        variables.remove("AWS_SECRET_ACCESS_KEY");
        let error = Settings::from_variables(&variables, no_files).expect_err("five problems");
        let text = error.to_string();
        for part in [
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is \"lots\"",
            "AWS_ENDPOINT_URL: \"localhost:9000\" is not an endpoint",
            "MINILAB_RECIPE",
            "AWS_DEFAULT_REGION is not set",
            "AWS_SECRET_ACCESS_KEY is not set",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(error.problems.len(), 5, "{text}");
    }

    #[test]
    fn one_bucket_by_override_is_refused() {
        let variables = variables(&[("MINILAB_SOURCE_BUCKET", "b-1"), ("MINILAB_PROCESSED_BUCKET", "b-1")]);
        let error = Settings::from_variables(&variables, no_files).expect_err("a loop");
        assert!(error.to_string().contains("name two buckets"), "{error}");
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = Settings::from_variables(&variables(&[]), no_files).expect("valid");
        let shown = format!("{settings:?}");
        assert!(shown.contains("AKIDEXAMPLE"));
        assert!(!shown.contains("wJalrXUtnFEMI") && !shown.contains("IQoJb3JpZ2luX2Vj"), "{shown}");
    }

    #[test]
    fn watermarks_are_read_beside_the_recipe() {
        const MARKED: &str = "[[output]]\nkey = \"p/{key}\"\nwatermark = { image = \"logo.png\" }\n";
        let logo = include_bytes!("../../../tests/golden/png/rgb8/input.png");
        let read = |folder: &'static str, logo: &'static [u8]| {
            move |path: &str| {
                let files =
                    [("/r/minilab.toml".to_owned(), MARKED.as_bytes()), (format!("{folder}/logo.png"), logo)];
                Ok(files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.to_vec()))
            }
        };
        let settings = |extra: &[(&str, &str)], folder, logo| {
            let extra: Vec<_> =
                [("MINILAB_CONFIG", "/r/minilab.toml")].iter().chain(extra).copied().collect();
            Settings::from_variables(&variables(&extra), read(folder, logo))
        };
        for (extra, folder) in [(&[][..], "/r"), (&[("MINILAB_FOLDER", "/elsewhere/")], "/elsewhere")] {
            let recipe = settings(extra, folder, logo).unwrap().recipe;
            assert!(recipe.missing_assets().is_empty(), "{folder}");
        }
        let missing = settings(&[], "/nowhere", logo).unwrap_err().to_string();
        assert!(missing.contains("/r/logo.png does not exist"), "{missing}");
        let broken = settings(&[], "/r", b"no picture").unwrap_err().to_string();
        assert!(broken.contains("is no picture to use"), "{broken}");
    }
}
