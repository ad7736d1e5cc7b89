//! Bytes + [`Recipe`] + [`Limits`] → renditions.
//!
//! Owns: what a recipe means, what a picture costs before it is decoded, and
//! the order of the steps from decoder to encoders, which are `minilab-pixels`.
//! Refuses: files, network, clock, environment. Everything here is a pure,
//! synchronous function of its arguments; the same arguments give the same bytes.

mod plan;
pub mod recipe;
mod render;

pub use minilab_pixels::arriving::Arriving;
pub use minilab_pixels::{Error, Header, Limit, Limits, inspect};
pub use recipe::Recipe;
pub use render::{Rendition, Summary, predict, render, render_arriving, render_until, reserve};
