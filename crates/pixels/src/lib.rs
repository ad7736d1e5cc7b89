//! Codecs, colour, resampling and operations on pixels: bytes and numbers in,
//! bytes out.
//!
//! Owns all that; refuses files, network, clock, environment and recipes. The same
//! arguments give the same bytes.
//!
#![doc = include_str!("../README.md")]
//!
//! # How it is divided
//!
//! The functions and types of this page are all
//! that most programs need. The modules below are the parts that they are made
//! of, for programs that decide more: [`source`] reads headers,
//! [`mod@decode`] gives pixels, [`planes`] and [`jpeg`] keep JPEG in luma and
//! chroma, [`mod@encode`] writes.

pub mod arriving;
pub mod colour;
pub mod decode;
pub mod derived;
pub mod encode;
pub mod error;
mod exif;
pub mod format;
pub mod geometry;
mod hdr;
#[cfg_attr(
    not(all(feature = "avif", feature = "heic")),
    allow(dead_code, reason = "headers are read in every build, to say what is left out")
)]
mod heif;
pub mod jpeg;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod limits;
pub mod metadata;
pub mod mosaic;
pub mod operation;
pub mod parallel;
pub mod picture;
pub mod planes;
pub mod quality;
pub mod resample;
pub mod scale;
mod sniff;
pub mod source;
mod srgb;
mod vp8;
pub mod whole;

pub use encode::Encoding;
pub use error::{Error, Limit};
pub use format::Format;
pub use geometry::Size;
pub use limits::Limits;
pub use picture::{Layout, Picture};
pub use quality::Quality;
pub use source::Header;
pub use whole::{inspect, pixelate, read, resize, write};
