//! What the console of `minilab up` is told: the recipe, what it makes of a
//! picture, what a picture is, and what became of one.
//!
//! Owns: the recipe in force, and keeping a changed one in its file. Refuses:
//! moving the buckets of a running cloud.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use minilab_console::{
    Applied, Changes, Check, Description, Extension, Keys, Lead, Leads, ObjectResult, Places, Preview,
    PreviewPrint, RecipeText,
};
use minilab_handler::logged::{Reconciled, Rejected};
use minilab_handler::{Logged, tag};
use minilab_imaging::recipe::{Footprint, Output, Problems, reference, report_key};
use minilab_imaging::{Limits, Recipe, Rendition};
use minilab_local::extension::Registry;
use serde_json::json;

use crate::config::{self, Config};
use crate::metrics::Metrics;

/// The recipe file where none was named.
const FILE: &str = "minilab.toml";

/// The console's side of this program.
pub(crate) struct Console {
    force: RwLock<InForce>,
    /// Where a changed recipe is kept.
    path: PathBuf,
    /// Where the recipe's own files lie.
    folder: PathBuf,
    /// The function's variables beside the recipe.
    variables: Vec<(String, String)>,
    /// Whether the role follows from the recipe.
    derives_policy: bool,
    /// Memory of the function, in bytes.
    memory: u64,
    metrics: Metrics,
}

/// The recipe in force.
#[derive(Clone)]
struct InForce {
    recipe: Arc<Recipe>,
    text: String,
    origin: String,
    digest: String,
}

impl Console {
    /// `variables` are the function's; `named` is the recipe file that was
    /// named; `derives_policy` is false where the person brought a policy.
    pub(crate) fn new(
        config: &Config,
        named: Option<&Path>,
        variables: &[(String, String)],
        derives_policy: bool,
        memory_mb: u32,
    ) -> anyhow::Result<Self> {
        let path =
            std::path::absolute(named.unwrap_or(Path::new(FILE))).context("cannot find the recipe's file")?;
        let recipe = Arc::new(config.recipe.clone());
        let digest = recipe.digest();
        let (text, origin) = (config.text.clone(), config.origin.clone());
        Ok(Self {
            force: RwLock::new(InForce { recipe, text, origin, digest }),
            path,
            folder: config.folder.clone(),
            variables: variables.iter().filter(|(name, _)| name != RECIPE_VARIABLE).cloned().collect(),
            derives_policy,
            memory: u64::from(memory_mb) << 20,
            metrics: Metrics::default(),
        })
    }

    fn in_force(&self) -> InForce {
        self.force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The recipe of a text, with the files that it needs.
    fn read(&self, text: &str) -> Result<Recipe, Refused> {
        let mut recipe = Recipe::parse(text).map_err(Refused::Problems)?;
        config::supply(&mut recipe, &self.folder).map_err(|error| Refused::Other(format!("{error:#}")))?;
        Ok(recipe)
    }

    /// Why a recipe cannot replace the one in force.
    fn moved(&self, recipe: &Recipe) -> Option<String> {
        let now = &self.in_force().recipe;
        (recipe.source != now.source || recipe.processed != now.processed).then(|| {
            "the buckets and the prefix are set at the start; stop `minilab up`, change them in the file and start it again".to_owned()
        })
    }
}

/// Names the recipe's text to the function.
const RECIPE_VARIABLE: &str = "MINILAB_RECIPE";

/// Why a text is no recipe to use.
enum Refused {
    Problems(Problems),
    Other(String),
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Problems(problems) => problems.to_string(),
            Refused::Other(text) => text,
        }
    }
}

/// By the keys of outputs, which are unique in a recipe's one set of rules;
/// where two rules repeat one, the first stands for it.
fn changes(before: &Recipe, after: &Recipe) -> Changes {
    let mut changes = Changes::default();
    let find =
        |recipe: &Recipe, key: &str| recipe.outputs.iter().find(|output| output.key.as_str() == key).cloned();
    for output in &after.outputs {
        let key = output.key.to_string();
        match find(before, &key) {
            None => changes.added.push(key),
            Some(earlier) if earlier == *output => changes.kept.push(key),
            Some(_) => changes.changed.push(key),
        }
    }
    let gone = before.outputs.iter().filter(|output| find(after, output.key.as_str()).is_none());
    changes.removed = gone.map(|output| output.key.to_string()).collect();
    changes
}

impl minilab_local::extension::Extension for Console {
    fn logged(&self, line: &str) {
        if let Some(batch) = minilab_lambda::metrics::parse(line) {
            self.metrics.add(&batch);
        }
    }

    fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}

impl Extension for Console {
    fn title(&self) -> String {
        "minilab".to_owned()
    }

    fn places(&self) -> Places {
        let recipe = self.in_force().recipe;
        Places {
            source: recipe.source.bucket.clone(),
            prefix: recipe.source.prefix.clone(),
            processed: recipe.processed.bucket.clone(),
        }
    }

    fn leads(&self, key: &str) -> Leads {
        let InForce { recipe, digest, .. } = self.in_force();
        let lead = |output: &Output| {
            let keys = match output.footprint(key) {
                Footprint::Exact(key) => Keys::Exact(key),
                Footprint::Nothing(_) => return None,
                listed @ Footprint::Listed { .. } => {
                    let Footprint::Listed { prefix, .. } = &listed else { return None };
                    Keys::Listed { prefix: prefix.clone(), covers: Box::new(move |key| listed.covers(key)) }
                }
            };
            Some(Lead { label: output.key.to_string(), faithful: output.is_faithful(), keys })
        };
        Leads {
            outputs: recipe.outputs_of_key(key).filter_map(lead).collect(),
            report: report_key(key),
            mark: (tag::SOURCE.to_owned(), tag::source(key)),
            etag_mark: tag::SOURCE_ETAG.to_owned(),
            recipe_mark: (tag::RECIPE.to_owned(), digest),
        }
    }

    fn describe(&self, bytes: &[u8]) -> Option<Description> {
        // What is shown was let in by whatever limits held then.
        let limits = Limits { pixels: u64::MAX, side: u32::MAX, frames: u32::MAX, ..Limits::default() };
        let header = minilab_imaging::inspect(bytes, &limits).ok()?;
        Some(Description {
            format: header.format.name().to_owned(),
            width: header.width,
            height: header.height,
            frames: header.frames,
        })
    }

    fn results(&self, log: &[String]) -> Vec<ObjectResult> {
        let mut results: Vec<ObjectResult> = Vec::new();
        let mut reason: Option<(String, Option<String>)> = None;
        for line in log.iter().filter_map(|line| Logged::parse(line)) {
            match line {
                Logged::Rejected(Rejected { key, reason: why, .. }) => reason = Some((key, why)),
                Logged::Reconciled(Reconciled { key, state, .. }) => {
                    let reason = reason.take().filter(|(rejected, _)| *rejected == key);
                    results.push(ObjectResult { key, state, reason: reason.and_then(|(_, reason)| reason) });
                }
                Logged::Stored(_) => {}
            }
        }
        results
    }

    fn recipe(&self) -> RecipeText {
        let InForce { text, origin, digest, .. } = self.in_force();
        let fields: Vec<_> = reference::FIELDS
            .iter()
            .map(|field| {
                json!({ "table": field.table, "name": field.name, "value": field.value,
                        "default": field.default, "meaning": field.meaning })
            })
            .collect();
        RecipeText { text, origin, path: self.path.display().to_string(), digest, fields: json!(fields) }
    }

    fn check(&self, text: &str) -> Check {
        let other = |what: String| {
            let problems = vec![json!({ "line": 1, "field": "", "value": "", "what": what, "remedy": "" })];
            Check { problems, ..Check::default() }
        };
        match self.read(text) {
            Err(Refused::Problems(Problems(problems))) => Check {
                problems: problems.iter().map(|problem| json!(problem)).collect(),
                ..Check::default()
            },
            Err(Refused::Other(what)) => other(what),
            Ok(recipe) => match self.moved(&recipe) {
                Some(what) => other(what),
                None => Check {
                    problems: Vec::new(),
                    warnings: recipe.warnings(),
                    changes: Some(changes(&self.in_force().recipe, &recipe)),
                },
            },
        }
    }

    fn preview(
        &self,
        text: &str,
        key: &str,
        bytes: &[u8],
        gone: &(dyn Fn() -> bool + Sync),
    ) -> Result<Preview, String> {
        let recipe = self.read(text)?;
        if let Some(asset) = recipe.missing_assets().first() {
            return Err(format!("the watermark {asset:?} lies in a bucket, which a preview does not ask"));
        }
        let limits = &recipe.limits;
        // Not more than the function has, whatever the recipe says.
        let limits = Limits { memory: limits.memory.min(self.memory), ..*limits };
        let begun = Instant::now();
        let renditions: Mutex<Vec<(f64, Rendition)>> = Mutex::default();
        let sink = |print| {
            let ready = begun.elapsed().as_secs_f64() * 1e3;
            renditions.lock().unwrap_or_else(PoisonError::into_inner).push((ready, print));
        };
        let stop = || gone() || begun.elapsed() >= Duration::from_secs(limits.seconds.into());
        let summary = minilab_imaging::render_until(bytes, key, &recipe, &limits, &sink, &stop)
            .map_err(|error| error.to_string())?;
        let mut renditions = renditions.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        renditions.sort_by_key(|(_, print)| print.output);
        let alone = |output: &Output| {
            let mut single = recipe.clone();
            single.outputs = vec![output.clone()];
            minilab_imaging::predict(bytes, key, &single, &limits).ok()
        };
        let prints = renditions.into_iter().map(|(ready_ms, print)| PreviewPrint {
            label: recipe.outputs.get(print.output).map(|output| output.key.to_string()).unwrap_or_default(),
            predicted_memory: recipe.outputs.get(print.output).and_then(alone),
            ready_ms,
            key: print.key,
            description: Description {
                format: print.format.name().to_owned(),
                width: print.width,
                height: print.height,
                frames: print.frames,
            },
            content_type: print.format.content_type().to_owned(),
            bytes: print.bytes,
        });
        Ok(Preview { predicted_memory: summary.predicted_memory, ms, prints: prints.collect() })
    }

    fn save(&self, text: &str) -> Result<Applied, String> {
        let recipe = self.read(text)?;
        if let Some(why) = self.moved(&recipe) {
            return Err(why);
        }
        write(&self.path, text).map_err(|error| format!("{error:#}"))?;
        let policy = self.derives_policy.then(|| minilab_lambda::policy::document(&recipe));
        let mut force = self.force.write().unwrap_or_else(PoisonError::into_inner);
        let changes = changes(&force.recipe, &recipe);
        let path = self.path.display().to_string();
        *force = InForce {
            digest: recipe.digest(),
            recipe: Arc::new(recipe),
            text: text.to_owned(),
            origin: path.clone(),
        };
        let mut variables = self.variables.clone();
        variables.push((RECIPE_VARIABLE.to_owned(), text.to_owned()));
        Ok(Applied { variables, policy, changes, path })
    }
}

/// Replaces a file as a whole, so that nobody reads half of it.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let fail = || format!("cannot write the recipe {}", path.display());
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(fail)?;
    file.write_all(text.as_bytes()).with_context(fail)?;
    if let Ok(found) = std::fs::metadata(path) {
        file.as_file().set_permissions(found.permissions()).with_context(fail)?;
    }
    file.as_file().sync_all().with_context(fail)?;
    file.persist(path).with_context(fail)?;
    minilab_local::storage::sync_folder(folder).with_context(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[source]\nbucket = \"a-source\"\n[[output]]\nkey = \"s/{key}.webp\"\nresize = { width = 9 }\nformat = \"webp\"\n";

    fn console(folder: &Path) -> Console {
        let recipe = Recipe::parse(TEXT).unwrap();
        let config = Config {
            recipe,
            text: TEXT.to_owned(),
            origin: "r.toml".to_owned(),
            folder: folder.to_owned(),
            path: None,
        };
        let variables = [(RECIPE_VARIABLE.to_owned(), "old".to_owned()), ("A".to_owned(), "b".to_owned())];
        Console::new(&config, Some(&folder.join("r.toml")), &variables, true, 1024).unwrap()
    }

    #[test]
    fn a_saved_recipe_is_in_its_file_and_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let console = console(folder.path());
        let text = TEXT.replace("width = 9", "width = 10") + "[[output]]\nkey = \"p/{key}\"\n";
        let applied = console.save(&text).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("r.toml")).unwrap(), text);
        assert_eq!(
            applied.variables,
            [("A".to_owned(), "b".to_owned()), (RECIPE_VARIABLE.to_owned(), text.clone())]
        );
        assert_eq!(applied.changes.changed, ["s/{key}.webp"]);
        assert_eq!(applied.changes.added, ["p/{key}"]);
        assert!(applied.policy.is_some_and(|policy| policy.to_string().contains("a-processed/p/")));
        assert_eq!(console.recipe().text, text);
        assert_eq!(console.leads("k").outputs.len(), 2);
        assert_eq!(console.check(&text).changes.unwrap().kept.len(), 2);
        assert_eq!(console.check(TEXT).changes.unwrap().removed, ["p/{key}"]);
    }

    #[test]
    fn a_recipe_is_not_in_force_before_its_file_is_durable() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let console = console(folder.path());
        // Written to and not opened: the rename succeeds and the sync cannot.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o300)).unwrap();
        let opens = std::fs::File::open(folder.path()).is_ok();
        let saved = console.save(TEXT);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        // Root opens it all the same.
        assert_eq!(saved.is_ok(), opens, "{saved:?}");
    }

    #[test]
    fn a_recipe_that_is_wrong_or_moves_the_buckets_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let console = console(folder.path());
        let wrong = console.check("[[output]]\nkey = \"x/{key}\"\nqualitty = 3\n");
        assert_eq!((wrong.problems.len(), &wrong.problems[0]["line"]), (1, &json!(3)));
        let moved = TEXT.replace("a-source", "b-source");
        assert!(console.check(&moved).problems[0]["what"].as_str().unwrap().contains("start it again"));
        assert!(console.save(&moved).unwrap_err().contains("start it again"));
        assert!(console.save("x").unwrap_err().contains("line 1"));
        assert!(!folder.path().join("r.toml").exists());
        assert_eq!(console.recipe().text, TEXT);
    }

    #[test]
    fn a_preview_is_what_the_function_would_make() {
        let folder = tempfile::tempdir().unwrap();
        let console = console(folder.path());
        let picture = include_bytes!("../../../tests/golden/png/rgb8/input.png");
        let made = console.preview(TEXT, "k", picture, &|| false).unwrap();
        assert_eq!(made.prints.len(), 1);
        assert_eq!(
            (made.prints[0].key.as_str(), made.prints[0].description.format.as_str()),
            ("s/k.webp", "webp")
        );
        assert_eq!(console.describe(&made.prints[0].bytes), Some(made.prints[0].description.clone()));
        assert!(made.predicted_memory > picture.len() as u64);
        // A recipe of one output is that output alone.
        assert_eq!(made.prints[0].predicted_memory, Some(made.predicted_memory));
        assert!((0.0..=made.ms).contains(&made.prints[0].ready_ms));
        let refused = console.preview(TEXT, "k", b"no picture", &|| false).unwrap_err();
        assert!(refused.contains("not an image"), "{refused}");
        assert!(console.preview(TEXT, "k", picture, &|| true).is_err());
    }

    #[test]
    fn results_are_read_from_the_functions_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = [
            "START RequestId: x",
            r#"{"message":"rejected","key":"a","code":"malformed","reason":"broken"}"#,
            r#"{"message":"reconciled","key":"a","state":"rejected"}"#,
            r#"{"message":"reconciled","key":"b","state":"printed"}"#,
        ]
        .map(str::to_owned);
        let results = console(folder.path()).results(&log);
        assert_eq!(
            results,
            [
                ObjectResult { key: "a".into(), state: "rejected".into(), reason: Some("broken".into()) },
                ObjectResult { key: "b".into(), state: "printed".into(), reason: None },
            ]
        );
    }
}
