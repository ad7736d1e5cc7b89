//! A program as Lambda sees it: for which processor it is, and which glibc it
//! needs. Source: the System V ABI, and "Symbol Versioning" in the Linux
//! Standard Base.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, bail};
use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::arch::Arch;

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glibc(pub(super) u32, pub(super) u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a program needs of glibc.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// The newest version that it asks for.
    pub(super) newest: Glibc,
    /// The functions for which it does.
    pub(super) symbols: Vec<String>,
}

/// A program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) arch: Arch,
    /// `None` when it is linked statically.
    pub(super) glibc: Option<Needs>,
}

pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Program> {
    if !bytes.starts_with(&elf::ELFMAG) {
        bail!("it is not in the ELF format; build it for Linux");
    }
    let header = FileHeader64::<LittleEndian>::parse(bytes).context("it is no 64-bit program")?;
    let endian = header.endian().context("it is no little-endian program")?;
    let arch = match header.e_machine(endian) {
        elf::EM_X86_64 => Arch::X86_64,
        elf::EM_AARCH64 => Arch::Arm64,
        other => bail!("it is for the processor that ELF numbers {}; Lambda has x86_64 and arm64", other.0),
    };
    let damaged = "its tables are damaged";
    let segments = header.program_headers(endian, bytes).context(damaged)?;
    let interpreted = segments.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP);
    if !interpreted {
        return Ok(Program { arch, glibc: None });
    }
    let sections = header.sections(endian, bytes).context(damaged)?;
    let table = sections.versions(endian, bytes).context(damaged)?;
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).context(damaged)?;
    let Some(table) = table.filter(|_| !symbols.is_empty()) else {
        bail!("it names no version of the libraries that it needs; was it stripped of its section headers?");
    };
    let mut needed: BTreeSet<(Glibc, String)> = BTreeSet::new();
    for (index, symbol) in symbols.enumerate() {
        let version = table.version(table.version_index(endian, index).index()).context(damaged)?;
        if let Some(version) = version.and_then(|version| glibc(version.name())) {
            let name = symbols.symbol_name(endian, symbol).context(damaged)?;
            needed.insert((version, String::from_utf8_lossy(name).into_owned()));
        }
    }
    let Some((newest, _)) = needed.last().cloned() else {
        bail!("it is linked to something other than glibc, which provided.al2023 does not have");
    };
    let symbols =
        needed.into_iter().filter(|(version, _)| *version == newest).map(|(_, name)| name).collect();
    Ok(Program { arch, glibc: Some(Needs { newest, symbols }) })
}

/// The version in `GLIBC_2.34`; what comes after the second number is left out.
fn glibc(name: &[u8]) -> Option<Glibc> {
    let mut numbers = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    Some(Glibc(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (name, expected) in [
            ("GLIBC_2.34", Some(Glibc(2, 34))),
            ("GLIBC_2.2.5", Some(Glibc(2, 2))),
            ("GLIBC_2.4", Some(Glibc(2, 4))),
            ("GLIBC_PRIVATE", None),
            ("GCC_3.0", None),
            ("", None),
        ] {
            assert_eq!(glibc(name.as_bytes()), expected, "{name}");
        }
        assert!(Glibc(2, 34) > Glibc(2, 4) && Glibc(3, 0) > Glibc(2, 99));
    }

    /// This very test is a program of this machine.
    #[test]
    #[cfg(target_env = "gnu")]
    fn a_program_names_its_processor_and_what_it_needs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let program = read(&own).unwrap();
        let expected = if cfg!(target_arch = "x86_64") { Arch::X86_64 } else { Arch::Arm64 };
        assert_eq!(program.arch, expected);
        let needs = program.glibc.unwrap();
        assert!(needs.newest >= Glibc(2, 17) && needs.newest.0 == 2, "{needs:?}");
        assert!(!needs.symbols.is_empty());
        // The field e_machine of the header.
        let machine = |value: u16| {
            let mut other = own.clone();
            other[18..20].copy_from_slice(&value.to_le_bytes());
            read(&other)
        };
        assert_eq!(machine(183).unwrap().arch, Arch::Arm64);
        assert!(machine(243).unwrap_err().to_string().contains("243"));
    }

    #[test]
    fn what_is_no_program_is_refused_and_never_panics() {
        assert!(read(b"#!/bin/sh\n").unwrap_err().to_string().contains("ELF"));
        assert!(read(b"\x7fELF").is_err());
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for cut in [20, 64, 200, 4096, own.len() / 2] {
            let _ = read(&own[..cut]);
        }
    }
}
