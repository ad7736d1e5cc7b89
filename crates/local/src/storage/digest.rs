//! MD5 and the five S3 checksums, computed while bytes pass by, and combined
//! for multipart uploads.
//!
//! Owns: the arithmetic. Refuses: which checksum a request must carry.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::hex::hex;

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 (ISO HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name as S3 spells it, such as `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of that name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of one digest.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The checksum of a whole object from its parts is computable only for CRCs.
    pub fn combines(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// Whether a multipart object's checksum covers its bytes or its parts' checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// Over all bytes of the object.
    FullObject,
    /// Over the digests of the parts.
    Composite,
}

impl Coverage {
    /// The name as S3 spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// An object's stored checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectChecksum {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Base64, with `-N` behind it when composite.
    pub value: String,
    /// What it covers.
    pub coverage: Coverage,
}

/// The digests of one stretch of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// MD5.
    pub md5: [u8; 16],
    /// Base64 checksums by algorithm.
    pub checksums: BTreeMap<Algorithm, String>,
}

impl Digests {
    /// The MD5 in lower-case hexadecimal: the `ETag` of a single upload.
    pub fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// Computes digests as bytes pass by.
pub(crate) struct Digester {
    md5: Md5,
    hasher: ChecksumHasher,
}

impl Digester {
    /// Starts with MD5 and the given checksums.
    pub(crate) fn new(algorithms: &[Algorithm]) -> Self {
        let mut hasher = ChecksumHasher::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
                Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
                Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
                Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
                Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
            }
        }
        Self { md5: Md5::new(), hasher }
    }

    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hasher.update(bytes);
    }

    /// The digests of everything taken in.
    pub(crate) fn finish(self) -> Digests {
        let sums = self.hasher.finalize();
        let checksums = [
            (Algorithm::Crc32, sums.checksum_crc32),
            (Algorithm::Crc32c, sums.checksum_crc32c),
            (Algorithm::Crc64Nvme, sums.checksum_crc64nvme),
            (Algorithm::Sha1, sums.checksum_sha1),
            (Algorithm::Sha256, sums.checksum_sha256),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| value.map(|value| (algorithm, value)))
        .collect();
        Digests { md5: self.md5.finalize(), checksums }
    }
}

/// The `ETag` of a multipart object: MD5 over the parts' MD5s, a dash, the number of parts.
pub(crate) fn multipart_etag(parts: &[[u8; 16]]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

/// The checksum of a whole object from its parts' base64 checksums and sizes in bytes.
/// `None` when a checksum is malformed or the algorithm cannot be combined.
pub(crate) fn combine(algorithm: Algorithm, parts: &[(String, u64)]) -> Option<String> {
    let crc = algorithm.crc()?;
    let width = algorithm.digest_len();
    let mut total = crc_fast::checksum(crc, b"");
    for (value, size) in parts {
        total = crc_fast::checksum_combine(crc, total, number(&decode(algorithm, value)?), *size);
    }
    Some(BASE64.encode(&total.to_be_bytes()[8 - width..]))
}

/// The checksum over the parts' digests, with `-N` behind it.
pub(crate) fn composite(algorithm: Algorithm, parts: &[String]) -> Option<String> {
    let mut digester = Digester::new(&[algorithm]);
    for value in parts {
        digester.update(&decode(algorithm, value)?);
    }
    let sum = digester.finish().checksums.remove(&algorithm)?;
    Some(format!("{sum}-{}", parts.len()))
}

/// The bytes of a base64 checksum; `None` when it is not one of `algorithm`.
pub fn decode(algorithm: Algorithm, value: &str) -> Option<Vec<u8>> {
    BASE64.decode(value).ok().filter(|bytes| bytes.len() == algorithm.digest_len())
}

/// The 16 bytes of a base64 MD5; `None` when it is not one.
pub fn decode_md5(value: &str) -> Option<[u8; 16]> {
    BASE64.decode(value).ok()?.try_into().ok()
}

/// The 16 bytes of a hexadecimal MD5; `None` when it is not one.
pub(crate) fn parse_md5_hex(value: &str) -> Option<[u8; 16]> {
    if value.len() != 32 || !value.is_ascii() {
        return None;
    }
    let mut bytes = [0_u8; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(value.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> Digests {
        let mut digester = Digester::new(&Algorithm::ALL);
        digester.update(bytes);
        digester.finish()
    }

    #[test]
    fn digests_agree_with_published_check_values() {
        // The CRC catalogue's check values for "123456789"; SHA and MD5 by coreutils.
        let digests = digest(b"123456789");
        assert_eq!(digests.etag(), "25f9e794323b453885f5181f1b624d0b");
        let cases = [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ];
        for (algorithm, value) in cases {
            assert_eq!(digests.checksums[&algorithm], value, "{}", algorithm.name());
        }
    }

    #[test]
    fn combined_crcs_equal_the_crc_of_the_whole() {
        let whole: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.combines()) {
            let parts: Vec<_> = [&whole[..1], &whole[1..60_000], &whole[60_000..60_000], &whole[60_000..]]
                .iter()
                .map(|part| (digest(part).checksums[&algorithm].clone(), part.len() as u64))
                .collect();
            assert_eq!(
                combine(algorithm, &parts).as_ref(),
                digest(&whole).checksums.get(&algorithm),
                "{}",
                algorithm.name()
            );
        }
        assert_eq!(combine(Algorithm::Sha1, &[]), None);
    }

    #[test]
    fn multipart_etags_count_their_parts() {
        assert_eq!(multipart_etag(&[digest(b"a").md5]), "b6ff9a06b7e20bcb2858c5b8ff744aea-1");
    }

    #[test]
    fn malformed_digests_are_refused() {
        assert_eq!(decode(Algorithm::Crc32, "AAAA"), None);
        assert_eq!(decode(Algorithm::Crc32, "!!"), None);
        assert_eq!(decode_md5("AAAA"), None);
        assert_eq!(parse_md5_hex("zz"), None);
        assert_eq!(parse_md5_hex(&"é".repeat(16)), None);
    }
}
