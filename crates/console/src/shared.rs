//! What the handlers share. Owns the state of the console; refuses to answer
//! requests.

use std::sync::Arc;

use axum::http::HeaderValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::answer::Problem;
use crate::descriptions::Descriptions;
use crate::extension::Extension;
use crate::guard::Guard;
use crate::presign::Presigner;
use minilab_local::observer::Observer;

/// What the console shows.
pub(crate) struct Console {
    pub(crate) observer: Observer,
    pub(crate) presigner: Presigner,
    pub(crate) guard: Guard,
    pub(crate) extension: Option<Arc<dyn Extension>>,
    pub(crate) descriptions: Descriptions,
}

/// What a handler needs.
pub(crate) struct Shared {
    pub(crate) console: Console,
    pub(crate) stop: CancellationToken,
    /// Previews take the memory of a whole picture: one at a time.
    pub(crate) previewing: Arc<Semaphore>,
    /// One recipe is saved at a time.
    pub(crate) saving: Arc<Semaphore>,
    pub(crate) content_policy: HeaderValue,
}

/// What knows the objects, where the cloud has a recipe.
pub(crate) fn extension(shared: &Shared) -> Result<Arc<dyn Extension>, Problem> {
    shared.console.extension.clone().ok_or_else(|| Problem::missing("this cloud runs without a recipe"))
}
