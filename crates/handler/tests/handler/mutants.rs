//! Wrong protocols, made of the right one by what stands around it: a store
//! that lies, a platform that believes too much. Each must be caught by the
//! check that the right one passes, or that check proves nothing.

use crate::network::Client;
use minilab_handler::Store;
use minilab_handler::store::{Head, Metadata, Object, Page, Put, StoreError};
use minilab_handler::tag;
use minilab_handler::verdict::Failure;
use std::sync::Mutex;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The final HEAD always sees what was read.
    NoFinalLook,
    /// One round, whatever the final HEAD says.
    NoLoop,
    /// The source is what the event says, not what it is.
    EventApplied,
    /// An old failure report stays beside the prints.
    ReportKept,
    /// Prints of a source that is gone, or of a rejected one, stay.
    PrintsKept,
    /// Prints under the keys of an earlier size stay.
    OldKeysKept,
    /// Whose a print is is not looked at before it is deleted.
    AnyonesDeleted,
    /// A failed upload counts as done.
    UploadFailureIgnored,
    /// A failed read of the source counts as a source that is gone.
    UnreadableIsGone,
    /// A failed invocation is not tried again.
    NotTriedAgain,
    /// A write without an answer is forgotten.
    UnansweredForgotten,
    /// A rejected picture gets no report.
    ReportNotWritten,
}

impl Mutant {
    pub(crate) const ALL: [Self; 12] = [
        Self::NoFinalLook,
        Self::NoLoop,
        Self::EventApplied,
        Self::ReportKept,
        Self::PrintsKept,
        Self::OldKeysKept,
        Self::AnyonesDeleted,
        Self::UploadFailureIgnored,
        Self::UnreadableIsGone,
        Self::NotTriedAgain,
        Self::UnansweredForgotten,
        Self::ReportNotWritten,
    ];

    /// Whether the platform takes this failure for a success.
    pub(crate) const fn swallows(self, failure: &Failure) -> bool {
        match self {
            Self::NoLoop => matches!(failure, Failure::Unsettled { .. }),
            Self::UnansweredForgotten => matches!(failure, Failure::Unanswered { .. }),
            Self::NotTriedAgain => true,
            _ => false,
        }
    }
}

/// A worker's store, distorted as its mutant says.
pub(crate) struct Distorted {
    mutant: Option<Mutant>,
    source: &'static str,
    /// What the worker believes the source to be, by the event or by its own GET.
    believed: Mutex<Option<Object>>,
    inner: Client,
}

impl Distorted {
    pub(crate) fn new(
        mutant: Option<Mutant>,
        source: &'static str,
        announced: Option<Object>,
        inner: Client,
    ) -> Self {
        Self { mutant, source, believed: Mutex::new(announced), inner }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl Store for Distorted {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        let read = self.inner.get(bucket, key, max_bytes).await;
        if self.is(Mutant::EventApplied) {
            return Ok(self.believed.lock().unwrap().clone());
        }
        let object = if self.is(Mutant::UnreadableIsGone) { read.unwrap_or_default() } else { read? };
        self.believed.lock().unwrap().clone_from(&object);
        Ok(object)
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        let head = self.inner.head(bucket, key).await;
        let gone = bucket == "film" && self.is(Mutant::UnreadableIsGone);
        let mut head = if gone { head.unwrap_or_default() } else { head? };
        if bucket == "film" && (self.is(Mutant::NoFinalLook) || self.is(Mutant::EventApplied)) {
            return Ok(self.believed.lock().unwrap().as_ref().map(|object| object.head().clone()));
        }
        if bucket == "paper"
            && self.is(Mutant::AnyonesDeleted)
            && let Some(head) = &mut head
        {
            head.metadata = Metadata::from([(tag::SOURCE.to_owned(), tag::source(self.source))]);
        }
        Ok(head)
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        if self.is(Mutant::ReportNotWritten) && key.starts_with("failures/") {
            return Ok(());
        }
        let written = self.inner.put(bucket, key, put).await;
        if self.is(Mutant::UploadFailureIgnored) { Ok(()) } else { written }
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let kept = if key.starts_with("failures/") { Mutant::ReportKept } else { Mutant::PrintsKept };
        if self.is(kept) { Ok(()) } else { self.inner.delete(bucket, key).await }
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        let page = self.inner.list(bucket, prefix, from).await?;
        Ok(if self.is(Mutant::OldKeysKept) { Page::default() } else { page })
    }
}
