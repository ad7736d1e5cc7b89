//! From bytes to pixels, one module a format. Each refuses what is damaged:
//! half a picture is no picture.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod webp;
