//! The function's role, derived from the recipe: the document that is deployed
//! to AWS is the one that the small cloud enforces.
//!
//! Owns: which statement is there and why. Refuses: anything that no output of
//! the recipe needs.

use std::collections::BTreeSet;

use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Asset, REPORT_PREFIX};
use serde_json::{Value, json};

use crate::remote;

/// One statement with the reason that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The statement's `Sid`.
    pub sid: &'static str,
    /// `s3:…` actions.
    pub actions: Vec<&'static str>,
    /// ARNs.
    pub resources: Vec<String>,
    /// Values of a `StringLikeIfExists` condition on `s3:prefix`; empty for none.
    pub prefixes: Vec<String>,
    /// Value of a `StringLike` condition on `kms:ViaService`.
    pub via: Option<&'static str>,
    /// Why the function cannot do without it.
    pub why: &'static str,
}

/// The customer managed keys that encrypt the buckets, as ARNs. None where S3
/// encrypts with its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// The source bucket's.
    pub source: Option<String>,
    /// The processed bucket's.
    pub processed: Option<String>,
}

/// A key is used through S3 alone, in any region.
const VIA_S3: &str = "s3.*.amazonaws.com";

/// The statements that `recipe` needs, least first.
pub fn grants(recipe: &Recipe) -> Vec<Grant> {
    grants_with(recipe, &Keys::default())
}

/// The statements that `recipe` needs where `keys` encrypt its buckets.
pub fn grants_with(recipe: &Recipe, keys: &Keys) -> Vec<Grant> {
    let mut starts: BTreeSet<String> =
        recipe.outputs.iter().map(|output| recipe.print_prefix(output)).collect();
    starts.insert(REPORT_PREFIX.to_owned());
    let starts = without_covered(starts);
    let assets: Vec<String> = recipe
        .assets()
        .into_iter()
        .filter_map(|asset| match asset {
            Asset::Object(key) => Some(format!("arn:aws:s3:::{}/{}", recipe.processed.bucket, escape(key))),
            Asset::File(_) => None,
        })
        .collect();
    let mut grants = vec![
        Grant {
            sid: "ReadSources",
            actions: vec!["s3:GetObject"],
            resources: vec![object_arn(&recipe.source.bucket, &recipe.source.prefix)],
            prefixes: Vec::new(),
            via: None,
            why: "to load the picture that an event names",
        },
        Grant {
            sid: "TellMissingFromForbidden",
            actions: vec!["s3:ListBucket"],
            resources: vec![bucket_arn(&recipe.source.bucket)],
            prefixes: Vec::new(),
            via: None,
            why: "without it S3 answers 403 for a deleted source, and its prints could not be deleted safely",
        },
        Grant {
            sid: "WritePrintsAndReports",
            actions: vec!["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
            resources: starts.iter().map(|start| object_arn(&recipe.processed.bucket, start)).collect(),
            prefixes: Vec::new(),
            via: None,
            why: "to store prints and failure reports, and to remove those that name a source which is gone",
        },
        Grant {
            sid: "FindPrintsAndReports",
            actions: vec!["s3:ListBucket"],
            resources: vec![bucket_arn(&recipe.processed.bucket)],
            prefixes: starts.iter().map(|start| format!("{}*", escape(start))).collect(),
            via: None,
            why: "to find old prints and reports; IfExists, because S3 also asks for this when it looks up one key",
        },
    ];
    if !assets.is_empty() {
        grants.push(Grant {
            sid: "ReadWatermarks",
            actions: vec!["s3:GetObject"],
            resources: assets,
            prefixes: Vec::new(),
            via: None,
            why: "to load the pictures that outputs lay over their prints",
        });
    }
    grants.extend(keys.grants());
    grants
}

/// What a function needs whose `MINILAB_CONFIG` is `uri`, `s3://bucket/key` of
/// `recipe`: that object, and the recipe's files beside it. `None` when `uri`
/// names no object.
pub fn recipe_grant(recipe: &Recipe, uri: &str) -> Option<Grant> {
    let (bucket, key) = remote::split(uri).filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())?;
    let folder = key.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let files = recipe.assets().into_iter().filter_map(|asset| match asset {
        Asset::File(name) => Some(format!("{folder}{name}")),
        Asset::Object(_) => None,
    });
    Some(Grant {
        sid: "ReadRecipe",
        actions: vec!["s3:GetObject"],
        resources: std::iter::once(key.to_owned())
            .chain(files)
            .map(|key| format!("arn:aws:s3:::{bucket}/{}", escape(&key)))
            .collect(),
        prefixes: Vec::new(),
        via: None,
        why: "to load the recipe, and the watermarks beside it, at each cold start",
    })
}

impl Keys {
    fn grants(&self) -> impl Iterator<Item = Grant> {
        let decrypt = self.source.iter().map(|key| Grant {
            sid: "DecryptSources",
            actions: vec!["kms:Decrypt"],
            resources: vec![key.clone()],
            prefixes: Vec::new(),
            via: Some(VIA_S3),
            why: "to read sources, which this key encrypts",
        });
        let encrypt = self.processed.iter().map(|key| Grant {
            sid: "EncryptPrintsAndReports",
            actions: vec!["kms:GenerateDataKey", "kms:Decrypt"],
            resources: vec![key.clone()],
            prefixes: Vec::new(),
            via: Some(VIA_S3),
            why: "to store prints and reports, which this key encrypts, and to look at them again",
        });
        decrypt.chain(encrypt)
    }
}

/// The IAM policy document (version 2012-10-17) of the function's role.
pub fn document(recipe: &Recipe) -> Value {
    document_with(recipe, &Keys::default())
}

/// The IAM policy document of the function's role where `keys` encrypt the
/// buckets.
pub fn document_with(recipe: &Recipe, keys: &Keys) -> Value {
    let statements: Vec<Value> = grants_with(recipe, keys).into_iter().map(Grant::statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

impl Grant {
    /// The statement.
    pub fn statement(self) -> Value {
        let mut statement = json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
        });
        if !self.prefixes.is_empty() {
            statement["Condition"] = json!({ "StringLikeIfExists": { "s3:prefix": self.prefixes } });
        }
        if let Some(service) = self.via {
            statement["Condition"] = json!({ "StringLike": { "kms:ViaService": service } });
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

    #[test]
    fn a_recipe_in_a_bucket_is_read_with_the_files_beside_it_and_nothing_else() {
        let text = "[[output]]\nkey = \"w/{key}\"\nwatermark = { image = \"logo*.png\" }\n";
        let recipe = Recipe::parse(text).unwrap();
        let grant = recipe_grant(&recipe, "s3://settings/live/minilab.toml").unwrap();
        assert_eq!(
            grant.resources,
            ["arn:aws:s3:::settings/live/minilab.toml", "arn:aws:s3:::settings/live/logo${*}.png"]
        );
        assert_eq!(grant.actions, ["s3:GetObject"]);
        assert_eq!(recipe_grant(&Recipe::built_in(), "s3://b/k").unwrap().resources, ["arn:aws:s3:::b/k"]);
    }

    #[test]
    fn the_built_in_recipe_may_touch_its_prints_and_reports_and_no_other_key() {
        let starts = [
            "failures/*",
            "pixelated-16x16-*",
            "pixelated-32x32-*",
            "pixelated-48x48-*",
            "pixelated-64x64-*",
            "pixelated-8x8-*",
            "responsive/1280/*",
            "responsive/1920/*",
            "responsive/320/*",
            "responsive/640/*",
        ];
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
                        "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
                        "Resource": starts.map(|start| format!("arn:aws:s3:::minilab-processed/{start}"))
                    },
                    {
                        "Sid": "FindPrintsAndReports",
                        "Effect": "Allow",
                        "Action": ["s3:ListBucket"],
                        "Resource": ["arn:aws:s3:::minilab-processed"],
                        "Condition": { "StringLikeIfExists": { "s3:prefix": starts } }
                    }
                ]
            })
        );
    }

    #[test]
    fn prefixes_that_another_covers_are_left_out() {
        let recipe =
            Recipe::parse("[[output]]\nkey = \"a/{key}\"\n[[output]]\nkey = \"a/b/{key}.webp\"\n").unwrap();
        assert_eq!(
            grants(&recipe)[2].resources,
            ["arn:aws:s3:::minilab-processed/a/*", "arn:aws:s3:::minilab-processed/failures/*"]
        );
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

    #[test]
    fn a_watermark_in_the_bucket_may_be_read_and_no_more() {
        let recipe = Recipe::parse(
            "[[output]]\nkey = \"a/{key}\"\nwatermark = { image = \"processed:brand/logo*.png\" }\n\
             [[output]]\nkey = \"b/{key}\"\nwatermark = { image = \"logo.png\" }\n",
        )
        .unwrap();
        let grants = grants(&recipe);
        let watermarks = grants.iter().find(|grant| grant.sid == "ReadWatermarks").unwrap();
        assert_eq!(watermarks.actions, ["s3:GetObject"]);
        assert_eq!(watermarks.resources, ["arn:aws:s3:::minilab-processed/brand/logo${*}.png"]);
        assert!(super::grants(&Recipe::built_in()).iter().all(|grant| grant.sid != "ReadWatermarks"));
    }

    #[test]
    fn keys_may_be_used_through_s3_and_only_where_they_encrypt() {
        let key = |name: &str| format!("arn:aws:kms:eu-central-1:123456789012:key/{name}");
        let sids = |keys: &Keys| -> Vec<&str> {
            grants_with(&Recipe::built_in(), keys).iter().skip(4).map(|grant| grant.sid).collect()
        };
        let both = Keys { source: Some(key("s")), processed: Some(key("p")) };
        assert_eq!(sids(&Keys::default()), Vec::<&str>::new());
        assert_eq!(sids(&both), ["DecryptSources", "EncryptPrintsAndReports"]);
        assert_eq!(sids(&Keys { source: None, ..both.clone() }), ["EncryptPrintsAndReports"]);
        assert_eq!(
            document_with(&Recipe::built_in(), &both)["Statement"][4],
            json!({
                "Sid": "DecryptSources",
                "Effect": "Allow",
                "Action": ["kms:Decrypt"],
                "Resource": [key("s")],
                "Condition": { "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" } }
            })
        );
    }
}
