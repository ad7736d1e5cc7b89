//! A zip of the same bytes for the same files: no time of day, no owner, one
//! order. Owns the compression; the format is rawzip's.

use std::io::Write as _;

use anyhow::Context as _;
use libdeflater::{CompressionLvl, Compressor};
use rawzip::{CompressionMethod, DataDescriptorOutput, ZipArchiveWriter};

/// One file.
pub(super) struct Entry {
    pub(super) name: String,
    /// With the type, as `st_mode` has it.
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn zip(entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for Entry { name, mode, bytes } in entries {
        let (mut entry, _) = archive
            .new_file(name.as_str())
            .compression_method(CompressionMethod::DEFLATE)
            .unix_permissions(*mode)
            .start()?;
        entry.write_all(&deflated(bytes)?)?;
        entry.finish(DataDescriptorOutput::new(libdeflater::crc32(bytes), bytes.len() as u64))?;
    }
    Ok(archive.finish()?)
}

/// Zopfli gains a thousandth more and takes minutes.
fn deflated(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut data = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let length =
        compressor.deflate_compress(bytes, &mut data).ok().context("libdeflate was given too little room")?;
    data.truncate(length);
    Ok(data)
}
