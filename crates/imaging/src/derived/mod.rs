//! What is told of a picture instead of shown: placeholders for pages that are
//! still loading, and the `srcset` of its prints.
//!
//! Owns: ThumbHash, BlurHash, dominant and mean colour, and the text of
//! `srcset`. Refuses: large pictures, which say no more than small ones.

mod blurhash;
mod dominant;
pub(crate) mod placeholder;
pub(crate) mod srcset;
mod thumbhash;
