//! `render` on real, damaged and malicious pictures. One binary, since each one
//! links every codec.

mod corpus;
mod golden;
mod hostile;
#[cfg(target_os = "linux")]
mod memory;
