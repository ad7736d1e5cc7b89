//! Makes the bootstrap run on the glibc of Lambda, wherever it is built.
//!
//! Two functions, `hypot` and `hypotf`, are all that asks for a newer one; see
//! `src/glibc.c`. Rejected: a cross-linker with an old glibc (cargo-zigbuild),
//! which compiles every dependency once more for a target of its own, and a
//! static libm, whose choice between processors calls private parts of glibc.

use std::io;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]
fn target(what: &str) -> String {
    std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default()
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/glibc.c");
    let known = matches!(target("ARCH").as_str(), "x86_64" | "aarch64");
    if !known || target("OS") != "linux" || target("ENV") != "gnu" {
        return Ok(());
    }
    let objects = cc::Build::new()
        .file("src/glibc.c")
        .cargo_metadata(false)
        .try_compile_intermediates()
        .map_err(io::Error::other)?;
    for object in objects {
        println!("cargo::rustc-link-arg-bin=bootstrap={}", object.display());
    }
    println!("cargo::rustc-link-arg-bin=bootstrap=-Wl,--wrap=hypot,--wrap=hypotf");
    // Functions of equal code become one. Rust's linker on this target, lld, can do that; GNU ld cannot.
    if target("ARCH") == "x86_64" {
        println!("cargo::rustc-link-arg-bin=bootstrap=-Wl,--icf=all");
    }
    Ok(())
}
