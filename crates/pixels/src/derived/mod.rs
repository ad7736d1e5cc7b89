//! What stands for a picture on a page that is still loading.
//!
//! Owns: ThumbHash, BlurHash, dominant and mean colour. Refuses: large pictures, which say no more than small ones.

mod blurhash;
mod dominant;
pub mod placeholder;
mod thumbhash;
