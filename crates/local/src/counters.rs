//! Counters with labels, for whoever counts.
//!
//! Owns: their types. Refuses: names and meanings.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Names and values of labels.
pub(crate) type Labels<const N: usize> = [(&'static str, String); N];
/// A counter for each set of labels.
pub(crate) type Counters<const N: usize> = Family<Labels<N>, Counter>;
