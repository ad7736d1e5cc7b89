//! The tables of buckets, versions and multipart uploads.
//!
//! Owns: the statements run at every opening. Refuses: queries.

/// The tables; idempotent.
///
/// - Keys are BLOBs: S3 lists in the order of their UTF-8 bytes, which is how `SQLite` compares BLOBs,
///   and the end of a prefix's range need not be valid UTF-8.
/// - `object_version.id` grows with every change of any object; among the versions of a key the
///   greatest is the newest. An unversioned bucket's object has the version `null`.
/// - An object's bytes are its segments in order: none when empty, one per part after a multipart upload.
///   Completing an upload so costs no copy and needs no second copy's space, and a copy of an object refers to
///   the same files. A file that neither a segment nor a part refers to is garbage.
/// - `part_list` keeps what a client may ask about the parts of an object that was uploaded in parts with a checksum.
/// - `completed_upload` remembers for a while what completing an upload answered: S3 answers a repetition alike.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS bucket (
    name       TEXT    NOT NULL PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    versioning TEXT    NOT NULL DEFAULT 'unversioned' CHECK (versioning IN ('unversioned', 'enabled', 'suspended'))
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object_version (
    id          INTEGER PRIMARY KEY,
    bucket      TEXT    NOT NULL REFERENCES bucket (name),
    key         BLOB    NOT NULL,
    version     TEXT    NOT NULL,
    latest      INTEGER NOT NULL,
    marker      INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    modified_ms INTEGER NOT NULL,
    attributes  TEXT    NOT NULL,
    tags        TEXT    NOT NULL,
    checksum    TEXT    NOT NULL,
    UNIQUE (bucket, key, version)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS object_current ON object_version (bucket, key) WHERE latest = 1;
CREATE INDEX IF NOT EXISTS object_history ON object_version (bucket, key, id DESC);
CREATE TABLE IF NOT EXISTS segment (
    version  INTEGER NOT NULL REFERENCES object_version (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob     TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS segment_blob ON segment (blob);
CREATE TABLE IF NOT EXISTS upload (
    sequence     INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    bucket       TEXT    NOT NULL REFERENCES bucket (name),
    key          BLOB    NOT NULL,
    initiated_ms INTEGER NOT NULL,
    attributes   TEXT    NOT NULL,
    tags         TEXT    NOT NULL,
    checksum     TEXT    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS upload_key ON upload (bucket, key, sequence);
CREATE TABLE IF NOT EXISTS part (
    upload      INTEGER NOT NULL REFERENCES upload (sequence) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    blob        TEXT,
    size        INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    modified_ms INTEGER NOT NULL,
    checksums   TEXT    NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS part_blob ON part (blob);
CREATE TABLE IF NOT EXISTS part_list (
    version INTEGER NOT NULL PRIMARY KEY REFERENCES object_version (id) ON DELETE CASCADE,
    parts   TEXT    NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS completed_upload (
    id           TEXT    NOT NULL PRIMARY KEY,
    bucket       TEXT    NOT NULL REFERENCES bucket (name) ON DELETE CASCADE,
    key          BLOB    NOT NULL,
    completed_ms INTEGER NOT NULL,
    stored       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bucket_setting (
    bucket   TEXT NOT NULL REFERENCES bucket (name) ON DELETE CASCADE,
    kind     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequence (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO sequence (one, value) VALUES (1, 0);
";
