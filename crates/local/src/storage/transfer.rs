//! Moving bytes between clients and data files without holding an object in
//! memory or a thread while a client is slow.
//!
//! Owns: chunking, digests on the way, ranges over segments. Refuses: rows.

use super::blob::{Incoming, Pinned, Staged};
use super::digest::{Algorithm, Digester, Digests};
use super::error::StorageError;
use super::record::{self, ObjectInfo, Segment};
use super::{Storage, bucket};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Why a client's body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes gathered before a thread is asked to write them, and read at once.
const CHUNK: usize = 256 * 1024;

/// Received bytes, durable, to which nothing refers yet.
pub struct Received {
    staged: Option<Staged>,
    digests: Digests,
}

impl Received {
    /// MD5 and the checksums asked for.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.staged.as_ref().map_or(0, Staged::size)
    }

    pub(super) fn into_staged(self) -> Option<Staged> {
        self.staged
    }
}

/// How to receive a body.
#[derive(Debug, Clone)]
pub struct Reception {
    /// Checksums to compute beside MD5.
    pub algorithms: Vec<Algorithm>,
    /// Most bytes accepted.
    pub limit: u64,
}

impl Storage {
    /// Streams a body into a data file and makes it durable. An empty body needs no file.
    pub async fn receive<S>(&self, mut body: S, reception: Reception) -> Result<Received, StorageError>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    {
        let mut incoming: Option<Incoming> = None;
        let mut writing: Option<JoinHandle<Result<Incoming, StorageError>>> = None;
        let mut gathered: Vec<Bytes> = Vec::new();
        let mut gathered_len = 0;
        let mut total = 0_u64;
        loop {
            let next = body.next().await;
            let ended = next.is_none();
            if let Some(chunk) = next {
                let chunk = chunk.map_err(|error| StorageError::Body(error.to_string()))?;
                total += chunk.len() as u64;
                if total > reception.limit {
                    return Err(StorageError::TooLarge { limit: reception.limit });
                }
                gathered_len += chunk.len();
                gathered.push(chunk);
            }
            if gathered_len >= CHUNK || (ended && gathered_len > 0) {
                if let Some(earlier) = writing.take() {
                    incoming = Some(join(earlier).await?);
                }
                let chunks = std::mem::take(&mut gathered);
                gathered_len = 0;
                let target = incoming.take();
                let blobs = Arc::clone(&self.blobs);
                let algorithms = reception.algorithms.clone();
                writing = Some(spawn_blocking(move || {
                    let mut incoming = match target {
                        Some(incoming) => incoming,
                        None => Incoming::create(&blobs, &algorithms)?,
                    };
                    for chunk in chunks {
                        incoming.write(&chunk)?;
                    }
                    Ok(incoming)
                }));
            }
            if ended {
                break;
            }
        }
        if let Some(last) = writing.take() {
            incoming = Some(join(last).await?);
        }
        let Some(incoming) = incoming else {
            self.blobs.check_space(0)?;
            return Ok(Received { staged: None, digests: Digester::new(&reception.algorithms).finish() });
        };
        let staged = join(spawn_blocking(move || incoming.finish())).await?;
        let digests = staged.digests().clone();
        Ok(Received { staged: Some(staged), digests })
    }

    /// Describes an object and opens its data, which stays readable however
    /// soon it is replaced or deleted.
    pub fn open_object(
        &self,
        bucket_name: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, ObjectReader), StorageError> {
        self.database.read(|connection| {
            let found = bucket::find(connection, bucket_name)?;
            let info = record::find(connection, bucket_name, found.versioning, key, version)?;
            let segments = record::segments(connection, info.row)?;
            let pinned = self.blobs.pin(segments.iter().map(|segment| segment.blob.clone()).collect());
            Ok((info, ObjectReader { segments, pinned }))
        })
    }
}

async fn join<T>(task: JoinHandle<Result<T, StorageError>>) -> Result<T, StorageError> {
    task.await.map_err(|error| StorageError::file("waiting for a write", io::Error::other(error)))?
}

/// An object's data.
#[derive(Debug)]
pub struct ObjectReader {
    segments: Vec<Segment>,
    pinned: Pinned,
}

impl ObjectReader {
    /// The bytes of part `number` (from 1) of a multipart object.
    pub fn part_range(&self, number: u32) -> Option<Range<u64>> {
        let index = (number as usize).checked_sub(1)?;
        let size = self.segments.get(index)?.size;
        let start = self.segments[..index].iter().map(|segment| segment.size).sum();
        Some(start..start + size)
    }

    /// Digests of the whole data; blocks.
    pub fn digest(&self, algorithms: &[Algorithm]) -> Result<Digests, StorageError> {
        let mut digester = Digester::new(algorithms);
        let mut buffer = vec![0; CHUNK];
        for segment in &self.segments {
            let mut file = self.pinned.read(&segment.blob)?;
            loop {
                let count = file.read(&mut buffer).map_err(|error| {
                    StorageError::file(format!("reading data file {}", segment.blob), error)
                })?;
                if count == 0 {
                    break;
                }
                digester.update(&buffer[..count]);
            }
        }
        Ok(digester.finish())
    }

    /// All the data; blocks.
    pub fn bytes(&self) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::with_capacity(self.segments.iter().map(|segment| segment.size as usize).sum());
        for segment in &self.segments {
            self.pinned
                .read(&segment.blob)?
                .read_to_end(&mut bytes)
                .map_err(|error| StorageError::file(format!("reading data file {}", segment.blob), error))?;
        }
        Ok(bytes)
    }

    /// Streams a range of bytes, which must lie within the object. One chunk
    /// is in memory at a time.
    pub fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StorageError>> + Send + Sync + 'static {
        let start = ReadState {
            reader: self,
            index: 0,
            open: None,
            skip: range.start,
            left: range.end - range.start,
        };
        stream::try_unfold(start, |state| async move {
            if state.left == 0 {
                return Ok(None);
            }
            join(spawn_blocking(move || state.next_chunk())).await
        })
    }
}

/// Where a stream stands.
struct ReadState {
    reader: ObjectReader,
    /// The segment being read.
    index: usize,
    /// It, with the bytes left in it.
    open: Option<(File, u64)>,
    /// Bytes to pass over before the first one wanted.
    skip: u64,
    /// Bytes still wanted.
    left: u64,
}

impl ReadState {
    fn next_chunk(mut self) -> Result<Option<(Bytes, Self)>, StorageError> {
        loop {
            let Some(segment) = self.reader.segments.get(self.index) else {
                return Err(StorageError::Damaged("an object is shorter than its size".to_owned()));
            };
            if self.open.is_none() {
                if self.skip >= segment.size {
                    self.skip -= segment.size;
                    self.index += 1;
                    continue;
                }
                let mut file = self.reader.pinned.read(&segment.blob)?;
                if self.skip > 0 {
                    file.seek(SeekFrom::Start(self.skip))
                        .map_err(|error| StorageError::file(format!("seeking in {}", segment.blob), error))?;
                }
                self.open = Some((file, segment.size - self.skip));
                self.skip = 0;
            }
            let Some((file, rest)) = &mut self.open else { continue };
            if *rest == 0 {
                self.open = None;
                self.index += 1;
                continue;
            }
            let wanted = self.left.min(*rest).min(CHUNK as u64) as usize;
            let mut chunk = vec![0; wanted];
            file.read_exact(&mut chunk)
                .map_err(|error| StorageError::file(format!("reading data file {}", segment.blob), error))?;
            *rest -= wanted as u64;
            self.left -= wanted as u64;
            return Ok(Some((Bytes::from(chunk), self)));
        }
    }
}
