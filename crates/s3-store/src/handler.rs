//! The handler over real buckets. Owns putting store, renderer and clock
//! together.

use crate::clock::{SystemClock, seed, uptime};
use crate::store::S3Store;
use minilab_handler::{Handler, Options, ThreadRenderer};
use minilab_imaging::{Limits, Recipe};
use std::sync::Arc;

/// The handler over real buckets.
pub type BucketHandler = Handler<Arc<S3Store>, ThreadRenderer, SystemClock>;

/// The handler over real buckets, wherever it runs: what a function does for
/// an event, a command does for a key that somebody names.
pub fn handler(recipe: Arc<Recipe>, limits: Limits, store: Arc<S3Store>) -> BucketHandler {
    let options = Options { seed: seed(), ..Options::default() };
    Handler::new(recipe, limits, store, ThreadRenderer::new(uptime), SystemClock::start(), options)
}
