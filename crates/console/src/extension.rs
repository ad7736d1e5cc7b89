//! What the console is told by the program that starts the cloud: which
//! objects belong together, what an object is, what the function's recipe says.
//!
//! Owns: the questions. Refuses: knowing any answer.

use serde::Serialize;
use serde_json::Value;

/// Answers for the console. Methods may take long and are called off the
/// executor's threads.
pub trait Extension: Send + Sync + 'static {
    /// What the page is called.
    fn title(&self) -> String;

    /// Where uploads go, and where what is made of them lies.
    fn places(&self) -> Places;

    /// What is made of the object `key`.
    fn leads(&self, key: &str) -> Leads;

    /// What these bytes are; `None` when it cannot be told.
    fn describe(&self, bytes: &[u8]) -> Option<Description>;

    /// What an invocation did to each object, by its log.
    fn results(&self, log: &[String]) -> Vec<ObjectResult>;

    /// The recipe as it is now.
    fn recipe(&self) -> RecipeText;

    /// What is wrong with a recipe, and what it would make.
    fn check(&self, text: &str) -> Check;

    /// What a recipe makes of one object. The error is for people. `gone` says
    /// when nobody waits for it any more.
    fn preview(
        &self,
        text: &str,
        key: &str,
        bytes: &[u8],
        gone: &(dyn Fn() -> bool + Sync),
    ) -> Result<Preview, String>;

    /// Keeps a recipe, durably, as the one in force. The error is for people.
    fn save(&self, text: &str) -> Result<Applied, String>;
}

/// Buckets and keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Places {
    /// The bucket of uploads.
    pub source: String,
    /// What the key of an upload must start with.
    pub prefix: String,
    /// The bucket of what is made of them.
    pub processed: String,
}

/// What leads from an object to what is made of it.
pub struct Leads {
    /// One for each thing that may be made.
    pub outputs: Vec<Lead>,
    /// Where a report lies when nothing can be made: a JSON document with
    /// `code`, `reason`, `time` and the `etag` of what it speaks of.
    pub report: String,
    /// Metadata that whatever is made of this object carries: name and value.
    pub mark: (String, String),
    /// Metadata that names the source's `ETag` as it was made.
    pub etag_mark: String,
    /// Metadata that whatever is made by the recipe in force carries.
    pub recipe_mark: (String, String),
}

/// Where one thing that is made of an object lies.
pub struct Lead {
    /// How the recipe names it.
    pub label: String,
    /// Whether it shows the whole object unchanged but for its size.
    pub faithful: bool,
    /// Its key.
    pub keys: Keys,
}

/// A key, or how to find it.
pub enum Keys {
    /// Exactly this one.
    Exact(String),
    /// Those under a prefix that the function accepts.
    Listed {
        /// What they start with.
        prefix: String,
        /// Whether a key is one of them.
        covers: Box<dyn Fn(&str) -> bool + Send>,
    },
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The format's name.
    pub format: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 for a still.
    pub frames: u32,
}

/// What an invocation did to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectResult {
    /// The object's key.
    pub key: String,
    /// One word, such as `printed` or `rejected`.
    pub state: String,
    /// Why, for a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A recipe for people to edit.
#[derive(Debug, Clone, Serialize)]
pub struct RecipeText {
    /// The text.
    pub text: String,
    /// Where it came from, in words.
    pub origin: String,
    /// Where it will be saved.
    pub path: String,
    /// Its digest.
    pub digest: String,
    /// Every field that a recipe may have, for completion.
    pub fields: Value,
}

/// What is to be said of a recipe.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Check {
    /// What is wrong; nothing for a valid recipe.
    pub problems: Vec<Value>,
    /// What is allowed and unwise.
    pub warnings: Vec<String>,
    /// What a backfill would redo; `None` for an invalid recipe.
    pub changes: Option<Changes>,
}

/// What differs from the recipe in force, by the names of outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// New.
    pub added: Vec<String>,
    /// Of the same name, made otherwise.
    pub changed: Vec<String>,
    /// No longer made; what is there stays.
    pub removed: Vec<String>,
    /// As before.
    pub kept: Vec<String>,
}

/// What a recipe makes of one object.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The most memory that it takes, in bytes, as predicted from the header.
    pub predicted_memory: u64,
    /// What it took.
    pub ms: f64,
    /// What is made.
    pub prints: Vec<PreviewPrint>,
}

/// One thing that a recipe makes.
#[derive(Debug, Clone)]
pub struct PreviewPrint {
    /// How the recipe names it.
    pub label: String,
    /// The key it would get.
    pub key: String,
    /// What it is.
    pub description: Description,
    /// Its media type.
    pub content_type: String,
    /// The peak of memory that a recipe of this output alone would take, in
    /// bytes; `None` where it cannot be told.
    pub predicted_memory: Option<u64>,
    /// When it was done, milliseconds after the beginning.
    pub ready_ms: f64,
    /// Itself.
    pub bytes: Vec<u8>,
}

/// A recipe that is in force from now on.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The function's environment variables for it.
    pub variables: Vec<(String, String)>,
    /// What its role may do; `None` to leave that as it is.
    pub policy: Option<Value>,
    /// What differs from before.
    pub changes: Changes,
    /// Where it was saved.
    pub path: String,
}
