//! Everything that a template says, in no language.
//!
//! Owns: the resources as values. Refuses: their spelling, which the languages own.

use minilab_lambda::policy::Grant;

use super::options::TemplateOptions;

/// Notifications of these: reconcile needs no others.
pub(super) const EVENTS: [&str; 2] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"];

/// An event that failed comes back so many times before it is set aside.
pub(super) const RECEIVES: u32 = 5;

/// Everything that a template says, in no language.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) name: &'a str,
    pub(super) options: &'a TemplateOptions,
    /// The new buckets, the source first.
    pub(super) buckets: Vec<Bucket<'a>>,
    pub(super) source: &'a str,
    pub(super) prefix: &'a str,
    pub(super) processed: &'a str,
    pub(super) grants: Vec<Grant>,
    pub(super) recipe: RecipeFrom<'a>,
    pub(super) alarms: Vec<Alarm>,
}

#[derive(Debug)]
pub(super) struct Bucket<'a> {
    pub(super) role: BucketRole,
    pub(super) name: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) versioned: bool,
    /// After so many days.
    pub(super) expires: Option<u32>,
}

impl Bucket<'_> {
    /// Whether a deleted object's marker would stay for ever once its versions
    /// are gone. A rule that deletes after a number of days removes it too.
    pub(super) const fn keeps_delete_markers(&self) -> bool {
        self.versioned && self.expires.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BucketRole {
    Source,
    Processed,
}

/// Where the function finds the recipe.
#[derive(Debug)]
pub(super) enum RecipeFrom<'a> {
    /// In its environment: a changed recipe is a changed template.
    Environment(&'a str),
    /// In its zip, for this reason.
    Package(&'static str),
    /// In an object that has this URI.
    Object(&'a str),
}

#[derive(Debug)]
pub(super) struct Alarm {
    /// `Failures`: the logical id's beginning.
    pub(super) title: &'static str,
    /// `failures`: the name's end, and the incident page's anchor.
    pub(super) slug: &'static str,
    pub(super) what: &'static str,
    pub(super) metric: &'static str,
    pub(super) of: Measured,
    pub(super) statistic: &'static str,
    pub(super) threshold: u32,
    /// Of five minutes each.
    pub(super) periods: u32,
}

/// Whose metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    Function,
    Events,
    DeadLetters,
}
