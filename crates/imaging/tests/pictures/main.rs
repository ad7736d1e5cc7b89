//! `render` on real, damaged and malicious pictures. One binary, since each one
//! links every codec.

#![expect(clippy::disallowed_methods, reason = "the tests read the corpus; the library reads nothing")]

mod arriving;
mod corpus;
mod drawings;
mod golden;
mod hostile;
#[cfg(target_os = "linux")]
mod memory;
mod operations;
