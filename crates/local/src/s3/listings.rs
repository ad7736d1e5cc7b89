//! Listing objects (both versions of the call) and object versions.
//!
//! Owns: parameters, tokens, `encoding-type=url`. Refuses: what a page holds;
//! [`crate::storage::Paging`] decides.

use super::fields::{etag, timestamp};
use super::service::Service;
use crate::storage::{ObjectInfo, Page, Paging};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto as d;
use s3s::{S3Request, S3Response, S3Result, s3_error};

/// Most entries of a page.
const MAX_KEYS: i32 = 1000;

/// A space is `%20`: clients decode that whether or not they take `+` for a space.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// A key as it stands in a URL's path.
pub(super) fn path_of(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string()
}

/// How names appear in a listing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    url: bool,
}

impl Spelling {
    pub(super) fn of(encoding: Option<&d::EncodingType>) -> S3Result<Self> {
        match encoding.map(d::EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some("url") => Ok(Self { url: true }),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    pub(super) fn spell(self, text: &str) -> String {
        if self.url { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
    }

    fn some(self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.spell(text))
    }
}

/// The number of entries wanted: at most 1,000.
pub(super) fn limit(wanted: Option<i32>, name: &str) -> S3Result<i32> {
    match wanted.unwrap_or(MAX_KEYS) {
        wanted if wanted < 0 => {
            Err(s3_error!(InvalidArgument, "Argument {name} must be an integer between 0 and 2147483647"))
        }
        wanted => Ok(wanted.min(MAX_KEYS)),
    }
}

pub(super) fn common_prefixes(prefixes: &[String], spelling: Spelling) -> Option<Vec<d::CommonPrefix>> {
    (!prefixes.is_empty()).then(|| {
        prefixes.iter().map(|prefix| d::CommonPrefix { prefix: Some(spelling.spell(prefix)) }).collect()
    })
}

fn paging(prefix: Option<&String>, delimiter: Option<&String>, after: Option<String>, limit: i32) -> Paging {
    Paging {
        prefix: prefix.cloned().unwrap_or_default(),
        delimiter: delimiter.cloned().unwrap_or_default(),
        after: after.filter(|after| !after.is_empty()),
        tie: None,
        limit: limit as usize,
    }
}

impl Service {
    fn contents(&self, page: &Page<ObjectInfo>, spelling: Spelling, owner: bool) -> Option<Vec<d::Object>> {
        let contents: Vec<_> = page
            .entries
            .iter()
            .map(|info| d::Object {
                checksum_algorithm: info
                    .checksum
                    .as_ref()
                    .map(|checksum| vec![d::ChecksumAlgorithm::from_static(checksum.algorithm.name())]),
                checksum_type: info
                    .checksum
                    .as_ref()
                    .map(|checksum| d::ChecksumType::from_static(checksum.coverage.name())),
                e_tag: Some(etag(&info.etag)),
                key: Some(spelling.spell(&info.key)),
                last_modified: Some(timestamp(info.modified_ms)),
                owner: owner.then(|| self.owner()),
                restore_status: None,
                size: Some(info.size as i64),
                storage_class: Some(d::ObjectStorageClass::from_static("STANDARD")),
            })
            .collect();
        (!contents.is_empty()).then_some(contents)
    }

    pub(super) async fn do_list_objects(
        &self,
        req: S3Request<d::ListObjectsInput>,
    ) -> S3Result<S3Response<d::ListObjectsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys, "max-keys")?;
        let paging = paging(input.prefix.as_ref(), input.delimiter.as_ref(), input.marker.clone(), limit);
        let bucket = input.bucket.clone();
        let page = self.run(move |storage| storage.list(&bucket, &paging)).await?;
        // Without a delimiter, clients continue from the last key.
        let delimited = input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty());
        Ok(S3Response::new(d::ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(spelling.spell(input.prefix.as_deref().unwrap_or_default())),
            marker: Some(spelling.spell(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(limit),
            is_truncated: Some(page.truncated),
            contents: self.contents(&page, spelling, true),
            common_prefixes: common_prefixes(&page.prefixes, spelling),
            delimiter: spelling.some(input.delimiter.as_ref()),
            next_marker: if page.truncated && delimited { spelling.some(page.last.as_ref()) } else { None },
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    pub(super) async fn do_list_objects_v2(
        &self,
        req: S3Request<d::ListObjectsV2Input>,
    ) -> S3Result<S3Response<d::ListObjectsV2Output>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys, "max-keys")?;
        let after = match &input.continuation_token {
            Some(token) => Some(read_token(token)?),
            None => input.start_after.clone(),
        };
        let paging = paging(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit);
        let bucket = input.bucket.clone();
        let page = self.run(move |storage| storage.list(&bucket, &paging)).await?;
        let next = page.last.as_ref().filter(|_| page.truncated).map(|last| TOKEN.encode(last));
        Ok(S3Response::new(d::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(spelling.spell(input.prefix.as_deref().unwrap_or_default())),
            max_keys: Some(limit),
            key_count: Some((page.entries.len() + page.prefixes.len()) as i32),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.truncated),
            next_continuation_token: next,
            contents: self.contents(&page, spelling, input.fetch_owner == Some(true)),
            common_prefixes: common_prefixes(&page.prefixes, spelling),
            delimiter: spelling.some(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            start_after: spelling.some(input.start_after.as_ref()),
            request_charged: None,
        }))
    }

    pub(super) async fn do_list_versions(
        &self,
        req: S3Request<d::ListObjectVersionsInput>,
    ) -> S3Result<S3Response<d::ListObjectVersionsOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys, "max-keys")?;
        let after = input.version_id_marker.clone().filter(|version| !version.is_empty());
        if after.is_some() && input.key_marker.as_ref().is_none_or(String::is_empty) {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
        let paging = paging(input.prefix.as_ref(), input.delimiter.as_ref(), input.key_marker.clone(), limit);
        let bucket = input.bucket.clone();
        let page = self.run(move |storage| storage.list_versions(&bucket, &paging, after.as_deref())).await?;
        let (markers, versions): (Vec<_>, Vec<_>) = page.entries.iter().partition(|info| info.marker);
        let versions: Vec<_> = versions.into_iter().map(|info| self.version(info, spelling)).collect();
        let markers: Vec<_> = markers
            .into_iter()
            .map(|info| d::DeleteMarkerEntry {
                is_latest: Some(info.latest),
                key: Some(spelling.spell(&info.key)),
                last_modified: Some(timestamp(info.modified_ms)),
                owner: Some(self.owner()),
                version_id: Some(info.version.clone()),
            })
            .collect();
        // The page may end on a common prefix, which has no version.
        let last_version = page
            .entries
            .last()
            .filter(|info| page.truncated && page.last.as_ref() == Some(&info.key))
            .map(|info| info.version.clone());
        Ok(S3Response::new(d::ListObjectVersionsOutput {
            common_prefixes: common_prefixes(&page.prefixes, spelling),
            delete_markers: (!markers.is_empty()).then_some(markers),
            delimiter: spelling.some(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.truncated),
            key_marker: Some(spelling.spell(input.key_marker.as_deref().unwrap_or_default())),
            max_keys: Some(limit),
            name: Some(input.bucket),
            next_key_marker: if page.truncated { spelling.some(page.last.as_ref()) } else { None },
            next_version_id_marker: last_version,
            prefix: Some(spelling.spell(input.prefix.as_deref().unwrap_or_default())),
            request_charged: None,
            version_id_marker: input.version_id_marker,
            versions: (!versions.is_empty()).then_some(versions),
        }))
    }

    fn version(&self, info: &ObjectInfo, spelling: Spelling) -> d::ObjectVersion {
        d::ObjectVersion {
            checksum_algorithm: info
                .checksum
                .as_ref()
                .map(|checksum| vec![d::ChecksumAlgorithm::from_static(checksum.algorithm.name())]),
            checksum_type: info
                .checksum
                .as_ref()
                .map(|checksum| d::ChecksumType::from_static(checksum.coverage.name())),
            e_tag: Some(etag(&info.etag)),
            is_latest: Some(info.latest),
            key: Some(spelling.spell(&info.key)),
            last_modified: Some(timestamp(info.modified_ms)),
            owner: Some(self.owner()),
            restore_status: None,
            size: Some(info.size as i64),
            storage_class: Some(d::ObjectVersionStorageClass::from_static("STANDARD")),
            version_id: Some(info.version.clone()),
        }
    }
}

fn read_token(token: &str) -> S3Result<String> {
    TOKEN
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_so_that_any_decoder_reads_them() {
        let url = Spelling { url: true };
        for (name, spelled) in
            [("a b+c%d", "a%20b%2Bc%25d"), ("x/(3).png", "x/%283%29.png"), ("é", "%C3%A9"), ("a//b", "a//b")]
        {
            assert_eq!(url.spell(name), spelled);
            assert_eq!(Spelling { url: false }.spell(name), name);
        }
    }

    #[test]
    fn tokens_survive_the_round_trip_and_foreign_ones_are_refused() {
        assert_eq!(read_token(&TOKEN.encode("a b/é")).unwrap(), "a b/é");
        for token in ["", "!!!", "_w"] {
            assert_eq!(read_token(token).unwrap_err().code().as_str(), "InvalidArgument", "{token}");
        }
    }
}
