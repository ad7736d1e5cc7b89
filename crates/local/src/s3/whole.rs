//! Uploads that are whole, or refused.
//!
//! Owns: what a request announces about its body, and that the body keeps to it. Refuses: the frame itself
//! ([`Framing`]) and what a request means.

use super::framing::{Framing, Mode};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use s3s::{Body, S3Result, StdError, s3_error};

const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
const TRAILER: &str = "x-amz-trailer";

/// How the request's body is framed; `None` for a plain one.
fn mode(headers: &HeaderMap) -> Option<Mode> {
    Mode::from_name(headers.get(CONTENT_SHA256)?.to_str().ok()?)
}

fn decoded_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(DECODED_LENGTH)?.to_str().ok()?.parse().ok()
}

/// S3 takes an unsigned chunked body without `x-amz-trailer`, `s3s` does not: an empty announcement is put in its place,
/// which [`announces_nothing`] knows again, since no client signed it.
pub(super) fn announce_nothing(headers: &mut HeaderMap) {
    if mode(headers) == Some(Mode::UnsignedTrailer) {
        headers.entry(TRAILER).or_insert(HeaderValue::from_static(""));
    }
}

/// Whether the header is an announcement of no trailer, which changes nothing and needs no signature.
pub(super) fn announces_nothing(name: &str, headers: &HeaderMap) -> bool {
    name == TRAILER && headers.get_all(TRAILER).iter().all(HeaderValue::is_empty)
}

/// The frame that the headers announce for the body; `None` for a body that is not chunked.
pub(super) fn announced_frame(headers: &HeaderMap) -> Option<Framing> {
    let mode = mode(headers)?;
    // Without a length `s3s` refuses the request before it reads.
    let length = decoded_length(headers)?;
    let trailer = headers.get(TRAILER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some(Framing::new(mode, length, trailer))
}

/// The body of a chunked upload, which fails where it is not framed as announced; other bodies as they are.
///
/// `s3s` takes the end of a body for the end of the upload, wherever it comes. It reads to the body's end before it
/// reports the upload's, so that a fault found there is in time.
pub(super) fn verified(framing: Option<Framing>, body: Body) -> Body {
    let Some(framing) = framing else { return body };
    let start = (body, framing);
    let frames = futures::stream::try_unfold(start, |(mut body, mut framing)| async move {
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let Some(bytes) = frame.data_ref() else { continue };
            framing.feed(bytes)?;
            return Ok::<_, StdError>(Some((frame, (body, framing))));
        }
        framing.end()?;
        Ok(None)
    });
    Body::http_body_unsync(StreamBody::new(frames))
}

/// How many bytes an upload announces; an upload that announces none is refused.
pub(super) fn announced(headers: &HeaderMap, content_length: Option<i64>) -> S3Result<u64> {
    let length = match mode(headers) {
        Some(_) => decoded_length(headers),
        None => content_length.and_then(|length| u64::try_from(length).ok()),
    };
    length.ok_or_else(|| s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))
}

/// Refuses an upload of another length than announced.
pub(super) fn check_length(announced: u64, received: u64) -> S3Result<()> {
    if announced == received {
        Ok(())
    } else {
        Err(s3_error!(IncompleteBody, "The body is {received} bytes long, and {announced} were announced."))
    }
}
