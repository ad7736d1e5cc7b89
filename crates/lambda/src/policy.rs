//! The function's role, derived from the recipe: the document that is deployed
//! to AWS is the one that the small cloud enforces.
//!
//! Owns: which statement is there and why. Refuses: anything that no output of
//! the recipe needs.

use std::collections::BTreeSet;

use minilab_imaging::Recipe;
use minilab_imaging::recipe::REPORT_PREFIX;
use serde_json::{Value, json};

/// One statement with the reason that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The statement's `Sid`.
    pub sid: &'static str,
    /// `s3:…` actions.
    pub actions: Vec<&'static str>,
    /// ARNs.
    pub resources: Vec<String>,
    /// Values of a `StringLike` condition on `s3:prefix`; empty for none.
    pub prefixes: Vec<String>,
    /// Why the function cannot do without it.
    pub why: &'static str,
}

/// The statements that `recipe` needs, least first.
pub fn grants(recipe: &Recipe) -> Vec<Grant> {
    let source = bucket_arn(&recipe.source.bucket);
    let processed = bucket_arn(&recipe.processed.bucket);
    let starts = |listed: bool| -> BTreeSet<String> {
        let starts = recipe.outputs.iter().filter(|output| !listed || output.needs_listing());
        without_covered(starts.map(|output| recipe.print_prefix(output)).collect())
    };
    let mut written = starts(false);
    written.insert(REPORT_PREFIX.to_owned());
    let written = without_covered(written);
    let listed = starts(true);

    let mut grants = vec![
        Grant {
            sid: "ReadSources",
            actions: vec!["s3:GetObject"],
            resources: vec![object_arn(&recipe.source.bucket, &recipe.source.prefix)],
            prefixes: Vec::new(),
            why: "to load the picture that an event names",
        },
        Grant {
            sid: "TellMissingFromForbidden",
            actions: vec!["s3:ListBucket"],
            resources: vec![source],
            prefixes: Vec::new(),
            why: "without it S3 answers 403 for a deleted source, and its prints could not be deleted safely",
        },
        Grant {
            sid: "WritePrintsAndReports",
            actions: vec!["s3:PutObject", "s3:DeleteObject"],
            resources: written.iter().map(|start| object_arn(&recipe.processed.bucket, start)).collect(),
            prefixes: Vec::new(),
            why: "to store prints and failure reports, and to remove those whose source is gone",
        },
    ];
    if !listed.is_empty() {
        grants.push(Grant {
            sid: "FindOldPrints",
            actions: vec!["s3:ListBucket"],
            resources: vec![processed],
            prefixes: listed.iter().map(|start| format!("{}*", escape(start))).collect(),
            why: "the keys of some prints depend on the picture: old ones are found by listing",
        });
        grants.push(Grant {
            sid: "TellWhosePrint",
            actions: vec!["s3:GetObject"],
            resources: listed.iter().map(|start| object_arn(&recipe.processed.bucket, start)).collect(),
            prefixes: Vec::new(),
            why: "a print is deleted only where its metadata names this source",
        });
    }
    grants
}

/// The IAM policy document (version 2012-10-17) of the function's role.
pub fn document(recipe: &Recipe) -> Value {
    let statements: Vec<Value> = grants(recipe).into_iter().map(Grant::statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

impl Grant {
    fn statement(self) -> Value {
        let mut statement = json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
        });
        if !self.prefixes.is_empty() {
            statement["Condition"] = json!({ "StringLike": { "s3:prefix": self.prefixes } });
        }
        statement
    }
}

/// Drops each prefix that another one covers.
fn without_covered(starts: BTreeSet<String>) -> BTreeSet<String> {
    // Sorted: whatever covers a prefix stands before it.
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for start in starts {
        if !kept.iter().any(|shorter| start.starts_with(shorter.as_str())) {
            kept.insert(start);
        }
    }
    kept
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn object_arn(bucket: &str, prefix: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{}*", escape(prefix))
}

/// `*`, `?` and `$` in a prefix are characters, not wildcards (IAM User Guide,
/// "IAM policy elements: Variables and tags": `${*}`, `${?}`, `${$}`).
fn escape(prefix: &str) -> String {
    prefix.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '*' | '?' | '$' => escaped.extend(["${", character.encode_utf8(&mut [0; 4]), "}"]),
            _ => escaped.push(character),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sids(recipe: &str) -> Vec<&'static str> {
        grants(&Recipe::parse(recipe).unwrap()).iter().map(|grant| grant.sid).collect()
    }

    #[test]
    fn a_recipe_with_fixed_keys_may_neither_list_nor_read_the_processed_bucket() {
        assert_eq!(
            document(&Recipe::built_in()),
            json!({
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "ReadSources",
                        "Effect": "Allow",
                        "Action": ["s3:GetObject"],
                        "Resource": ["arn:aws:s3:::minilab-source/*"]
                    },
                    {
                        "Sid": "TellMissingFromForbidden",
                        "Effect": "Allow",
                        "Action": ["s3:ListBucket"],
                        "Resource": ["arn:aws:s3:::minilab-source"]
                    },
                    {
                        "Sid": "WritePrintsAndReports",
                        "Effect": "Allow",
                        "Action": ["s3:PutObject", "s3:DeleteObject"],
                        "Resource": [
                            "arn:aws:s3:::minilab-processed/failures/*",
                            "arn:aws:s3:::minilab-processed/pixelated-16x16-*",
                            "arn:aws:s3:::minilab-processed/pixelated-32x32-*",
                            "arn:aws:s3:::minilab-processed/pixelated-48x48-*",
                            "arn:aws:s3:::minilab-processed/pixelated-64x64-*",
                            "arn:aws:s3:::minilab-processed/pixelated-8x8-*",
                            "arn:aws:s3:::minilab-processed/responsive/1280/*",
                            "arn:aws:s3:::minilab-processed/responsive/1920/*",
                            "arn:aws:s3:::minilab-processed/responsive/320/*",
                            "arn:aws:s3:::minilab-processed/responsive/640/*"
                        ]
                    }
                ]
            })
        );
    }

    #[test]
    fn keys_that_depend_on_the_picture_need_a_listing_of_their_prefix_only() {
        let recipe = "[[output]]\nkey = \"sizes/{key}-{width}.{ext}\"\n[[output]]\nkey = \"fixed/{key}\"\n";
        assert_eq!(
            sids(recipe),
            ["ReadSources", "TellMissingFromForbidden", "WritePrintsAndReports", "FindOldPrints", "TellWhosePrint"]
        );
        let grants = grants(&Recipe::parse(recipe).unwrap());
        assert_eq!(grants[3].prefixes, ["sizes/*"]);
        assert_eq!(grants[4].resources, ["arn:aws:s3:::minilab-processed/sizes/*"]);
        assert!(!sids("[[output]]\nkey = \"fixed/{key}\"\n").contains(&"FindOldPrints"));
    }

    #[test]
    fn the_trigger_prefix_narrows_what_is_read_and_written() {
        let recipe = Recipe::parse("[source]\nprefix = \"in/\"\n[[output]]\nkey = \"{key}.webp\"\n").unwrap();
        let grants = grants(&recipe);
        assert_eq!(grants[0].resources, ["arn:aws:s3:::minilab-source/in/*"]);
        assert_eq!(
            grants[2].resources,
            ["arn:aws:s3:::minilab-processed/failures/*", "arn:aws:s3:::minilab-processed/in/*"]
        );
    }

    #[test]
    fn a_star_in_a_prefix_is_a_character() {
        let recipe = Recipe::parse("[source]\nprefix = \"a*b/\"\n[[output]]\nkey = \"p/{key}\"\n").unwrap();
        assert_eq!(grants(&recipe)[0].resources, ["arn:aws:s3:::minilab-source/a${*}b/*"]);
    }
}
