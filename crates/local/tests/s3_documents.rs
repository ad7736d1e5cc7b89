//! Whatever a client sends as a document is understood or refused, and nothing else happens.

use minilab_local::s3::Document;
use proptest::prelude::*;

/// A valid document of each kind.
fn valid(kind: Document) -> &'static str {
    match kind {
        Document::Delete => {
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a &amp; b</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>"
        }
        Document::Complete => {
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"5d41402abc4b2a76b9719d911017c592\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>"
        }
        Document::Notification => {
            "<NotificationConfiguration><CloudFunctionConfiguration><Id>r</Id><CloudFunction>arn:aws:lambda:us-east-1:123456789012:function:f</CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration></NotificationConfiguration>"
        }
        Document::Cors => {
            "<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>"
        }
        Document::Tags | Document::BucketTags => {
            "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
        }
        Document::Versioning => "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        Document::PublicAccess => {
            "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>"
        }
        Document::BucketPolicy => {
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#
        }
        Document::FormPolicy => {
            r#"{"expiration":"2030-01-01T00:00:00Z","conditions":[{"bucket":"b"},["starts-with","$key","u/"],["content-length-range",0,10]]}"#
        }
    }
}

#[test]
fn each_valid_document_is_understood_and_no_half_of_it() {
    for kind in Document::ALL {
        let document = valid(kind).as_bytes();
        kind.understand(document).unwrap_or_else(|why| panic!("{kind:?}: {why}"));
        for length in 0..document.len() {
            assert!(kind.understand(&document[..length]).is_err(), "{kind:?} up to byte {length}");
        }
    }
}

#[test]
fn entities_do_not_grow_and_depth_does_not_overflow() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>";
    let deep = "<Delete>".repeat(1_000_000);
    let json = "[".repeat(1_000_000);
    for kind in Document::ALL {
        for document in [bomb, &deep, &json] {
            assert!(kind.understand(document.as_bytes()).is_err(), "{kind:?}");
        }
    }
}

/// What is done to a valid document.
#[derive(Debug, Clone)]
enum Harm {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let place = 0_usize..600;
    let words = prop::sample::select(vec![
        "<Object>",
        "</Key>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "&#0;",
        "&#x10ffff;",
        "<Key/>",
        "\0",
        "\u{feff}",
        "xmlns=\"\"",
        "\"",
        "{",
        "]",
    ]);
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        (place.clone(), words).prop_map(|(at, word)| Harm::Insert(at, word.as_bytes().to_vec())),
        (place.clone(), prop::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (place.clone(), 1_usize..40).prop_map(|(at, length)| Harm::Remove(at, length)),
        (place, 1_usize..80).prop_map(|(at, length)| Harm::Repeat(at, length)),
    ]
}

fn apply(document: &mut Vec<u8>, harm: &Harm) {
    let size = document.len();
    match harm {
        Harm::Set(at, byte) if size > 0 => document[at % size] = *byte,
        Harm::Insert(at, bytes) => {
            let at = at % (size + 1);
            document.splice(at..at, bytes.iter().copied());
        }
        Harm::Remove(at, length) if size > 0 => {
            let at = at % size;
            document.drain(at..(at + length).min(size));
        }
        Harm::Repeat(at, length) if size > 0 => {
            let at = at % size;
            let piece = document[at..(at + length).min(size)].to_vec();
            document.splice(at..at, piece);
        }
        Harm::Set(..) | Harm::Remove(..) | Harm::Repeat(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_harmed_document_is_understood_or_refused(harms in prop::collection::vec(harm(), 1..6)) {
        for kind in Document::ALL {
            let mut document = valid(kind).as_bytes().to_vec();
            for harm in &harms {
                apply(&mut document, harm);
            }
            if let Err(why) = kind.understand(&document) {
                prop_assert!(!why.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in Document::ALL {
            prop_assert!(kind.understand(&bytes).is_err());
        }
    }
}
