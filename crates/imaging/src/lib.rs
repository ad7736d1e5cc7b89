//! Bytes + [`Recipe`] + [`Limits`] → renditions.
//!
//! Owns: what a recipe means, what a picture costs before it is decoded, and
//! the pixel path from decoder to encoders. Refuses: files, network, clock,
//! environment. Everything here is a pure, synchronous function of its
//! arguments; the same arguments give the same bytes.

mod arriving;
mod colour;
mod decode;
mod derived;
mod encode;
mod error;
mod exif;
mod format;
mod geometry;
mod hdr;
#[cfg_attr(
    not(all(feature = "avif", feature = "heic")),
    allow(dead_code, reason = "headers are read in every build, to say what is left out")
)]
mod heif;
mod jpeg;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub mod limits;
mod metadata;
mod mosaic;
mod operation;
mod parallel;
mod picture;
mod plan;
mod planes;
mod quality;
pub mod recipe;
mod render;
mod resample;
mod scale;
mod sniff;
mod source;
mod srgb;
mod vp8;

pub use arriving::Arriving;
pub use error::{Error, Limit};
pub use limits::Limits;
pub use recipe::Recipe;
pub use render::{Rendition, Summary, inspect, predict, render, render_arriving, render_until, reserve};
pub use source::Header;
