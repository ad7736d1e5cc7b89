//! Storage's refusals and failures as S3's error codes.
//!
//! Owns: the one translation. Refuses: inventing success.

use crate::storage::StorageError;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::{S3Error, S3ErrorCode, s3_error};

/// The error that S3 would answer.
pub(crate) fn translate(error: StorageError) -> S3Error {
    match error {
        StorageError::NoSuchBucket(_) => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
        StorageError::BucketExists(_) => s3_error!(
            BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it."
        ),
        StorageError::BucketNotEmpty(_) => {
            s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
            )
        }
        StorageError::NoSuchKey { marker, .. } => {
            let error = s3_error!(NoSuchKey, "The specified key does not exist.");
            match marker {
                Some(version) => {
                    with_headers(error, &[("x-amz-delete-marker", "true"), ("x-amz-version-id", &version)])
                }
                None => error,
            }
        }
        StorageError::NoSuchVersion { .. } => {
            s3_error!(NoSuchVersion, "The specified version does not exist.")
        }
        StorageError::IsDeleteMarker { version, .. } => with_headers(
            s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource."),
            &[("x-amz-delete-marker", "true"), ("x-amz-version-id", &version), ("allow", "DELETE")],
        ),
        StorageError::NoSuchUpload(_) => s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        ),
        StorageError::InvalidPart(_) => s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
        ),
        StorageError::InvalidPartOrder(_) => {
            s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            )
        }
        StorageError::EntityTooSmall { .. } => {
            s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
        }
        StorageError::TooLarge { .. } => {
            s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
        }
        StorageError::BadDigest { algorithm } => {
            s3_error!(BadDigest, "The {algorithm} you specified did not match the calculated checksum.")
        }
        StorageError::PreconditionFailed(condition) => precondition_failed(condition),
        StorageError::Invalid(words) => s3_error!(InvalidArgument, "{words}"),
        StorageError::Body(words) => body_error(&words),
        StorageError::DiskFull { .. } => {
            let mut full =
                S3Error::with_message(S3ErrorCode::Custom("StorageFull".into()), error.to_string());
            full.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            full
        }
        StorageError::ReadOnly { .. } => {
            let mut refused =
                S3Error::with_message(S3ErrorCode::Custom("StorageReadOnly".into()), error.to_string());
            refused.set_status_code(StatusCode::SERVICE_UNAVAILABLE);
            refused
        }
        StorageError::File { .. } | StorageError::Database(_) | StorageError::Damaged(_) => {
            tracing::error!(%error, "storage failed");
            s3_error!(InternalError, "We encountered an internal error: {error}")
        }
    }
}

/// 412 with the condition's name.
pub(crate) fn precondition_failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

/// `s3s` keeps its stream errors private: their words tell them apart.
fn body_error(words: &str) -> S3Error {
    if words.contains("Sha256Mismatch") {
        let mut mismatch = S3Error::with_message(
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
        mismatch.set_status_code(StatusCode::BAD_REQUEST);
        mismatch
    } else if words.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "The signature of a chunk does not match.")
    } else if words.contains("MalformedTrailer") {
        let mut malformed = S3Error::with_message(
            S3ErrorCode::Custom("MalformedTrailerError".into()),
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        );
        malformed.set_status_code(StatusCode::BAD_REQUEST);
        malformed
    } else if words.contains("FormatError") || words.contains("TooLarge") || words.contains("TooMany") {
        s3_error!(InvalidRequest, "The chunked body is malformed.")
    } else {
        s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        )
    }
}

/// The error with response headers.
pub(crate) fn with_headers(mut error: S3Error, headers: &[(&'static str, &str)]) -> S3Error {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    error.set_headers(map);
    error
}
