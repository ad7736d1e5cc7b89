"""ListObjects and ListObjectsV2: prefixes, delimiters, pages, spelling."""

import pytest

from raw import refused

KEYS = [
    "asdf",
    "boo/bar",
    "boo/baz/xyzzy",
    "boo/baz/zeta",
    "cquux/bla",
    "cquux/thud",
    "foo bar/one",
    "foo/a+b",
    "quux ah/1",
    "ünder/ä",
]


@pytest.fixture(scope="module")
def shelf(s3, bucket) -> str:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def listing(s3, version: int, **arguments) -> tuple[list[str], list[str]]:
    call = s3.list_objects if version == 1 else s3.list_objects_v2
    answer = call(**arguments)
    return [entry["Key"] for entry in answer.get("Contents", [])], [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]


VERSIONS = pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
# prefix, delimiter, keys, common prefixes
FOLDS = [
    ("", "", KEYS, []),
    ("", "/", ["asdf"], ["boo/", "cquux/", "foo bar/", "foo/", "quux ah/", "ünder/"]),
    ("boo/", "", ["boo/bar", "boo/baz/xyzzy", "boo/baz/zeta"], []),
    ("boo/", "/", ["boo/bar"], ["boo/baz/"]),
    ("boo/baz/", "/", ["boo/baz/xyzzy", "boo/baz/zeta"], []),
    ("boo", "/", [], ["boo/"]),
    ("b", "", ["boo/bar", "boo/baz/xyzzy", "boo/baz/zeta"], []),
    ("nothing", "", [], []),
    ("nothing", "/", [], []),
    ("asdf", "/", ["asdf"], []),
    ("", "a", [], ["a", "boo/ba", "cquux/bla", "foo ba", "foo/a", "quux a"]),
    ("boo/ba", "a", ["boo/bar", "boo/baz/xyzzy"], ["boo/baz/zeta"]),
    ("", " ", ["asdf", "boo/bar", "boo/baz/xyzzy", "boo/baz/zeta", "cquux/bla", "cquux/thud", "foo/a+b", "ünder/ä"], ["foo ", "quux "]),
    ("", "%", KEYS, []),
    ("", "/b", ["asdf", "cquux/thud", "foo bar/one", "foo/a+b", "quux ah/1", "ünder/ä"], ["boo/b", "cquux/b"]),
    ("", "oo/", ["asdf", "cquux/bla", "cquux/thud", "foo bar/one", "quux ah/1", "ünder/ä"], ["boo/", "foo/"]),
    ("ünder/", "/", ["ünder/ä"], []),
    ("foo ", "/", [], ["foo bar/"]),
    ("foo/a+", "", ["foo/a+b"], []),
]


@VERSIONS
@pytest.mark.parametrize(("prefix", "delimiter", "keys", "prefixes"), FOLDS, ids=[f"{case[0]!r}-{case[1]!r}" for case in FOLDS])
def test_a_delimiter_folds_what_follows_the_prefix(s3, shelf, version, prefix, delimiter, keys, prefixes) -> None:
    if delimiter == "a" and prefix == "":
        # "ünder/ä" has no plain a.
        keys = ["ünder/ä"]
    assert listing(s3, version, Bucket=shelf, Prefix=prefix, Delimiter=delimiter) == (keys, prefixes)


@VERSIONS
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9, 10, 11, 1000])
def test_pages_join_without_gap_or_repetition(s3, shelf, version, size) -> None:
    paginator = s3.get_paginator("list_objects" if version == 1 else "list_objects_v2")
    pages = list(paginator.paginate(Bucket=shelf, PaginationConfig={"PageSize": size}))
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == KEYS
    assert all(len(page["Contents"]) == size for page in pages[:-1])
    assert len(pages) == -(-len(KEYS) // size)


@VERSIONS
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_of_folded_listings_join(s3, shelf, version, size) -> None:
    paginator = s3.get_paginator("list_objects" if version == 1 else "list_objects_v2")
    pages = list(paginator.paginate(Bucket=shelf, Delimiter="/", PaginationConfig={"PageSize": size}))
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    assert (keys, prefixes) == (["asdf"], ["boo/", "cquux/", "foo bar/", "foo/", "quux ah/", "ünder/"])


STARTS = [("", KEYS), ("asdf", KEYS[1:]), ("b", KEYS[1:]), ("boo/baz/", KEYS[2:]), ("boo/baz/xyzzy", KEYS[3:]), ("zzz", KEYS[9:]), ("\U0010ffff", []), ("0", KEYS)]


@pytest.mark.parametrize(("after", "keys"), STARTS, ids=[repr(case[0]) for case in STARTS])
def test_a_listing_starts_after_a_key(s3, shelf, after, keys) -> None:
    assert listing(s3, 2, Bucket=shelf, StartAfter=after)[0] == keys


@pytest.mark.parametrize(("after", "keys"), STARTS, ids=[repr(case[0]) for case in STARTS])
def test_a_listing_starts_after_its_marker(s3, shelf, after, keys) -> None:
    assert listing(s3, 1, Bucket=shelf, Marker=after)[0] == keys


def test_a_marker_within_a_folder_shows_the_folder_again(s3, shelf) -> None:
    assert listing(s3, 2, Bucket=shelf, Delimiter="/", StartAfter="boo/bar")[1][0] == "boo/"


def test_a_marker_that_is_a_folder_skips_it(s3, shelf) -> None:
    assert listing(s3, 1, Bucket=shelf, Delimiter="/", Marker="boo/")[1][0] == "cquux/"


@VERSIONS
def test_no_key_at_all_may_be_asked_for(s3, shelf, version) -> None:
    call = s3.list_objects if version == 1 else s3.list_objects_v2
    answer = call(Bucket=shelf, MaxKeys=0)
    assert "Contents" not in answer and answer["IsTruncated"] is False


@VERSIONS
@pytest.mark.parametrize("number", ["-1", "abc", "9999999999999999999"])
def test_a_number_of_keys_that_is_none_is_refused(raw, shelf, version, number) -> None:
    query = {"max-keys": number} | ({"list-type": "2"} if version == 2 else {})
    assert raw("GET", f"/{shelf}", query).outcome == "400 InvalidArgument"


@VERSIONS
def test_more_than_a_thousand_is_a_thousand(s3, shelf, version) -> None:
    call = s3.list_objects if version == 1 else s3.list_objects_v2
    assert call(Bucket=shelf, MaxKeys=2000)["MaxKeys"] == 1000


def test_v2_counts_keys_and_folders(s3, shelf) -> None:
    assert s3.list_objects_v2(Bucket=shelf, Delimiter="/")["KeyCount"] == 7
    assert s3.list_objects_v2(Bucket=shelf, MaxKeys=3)["KeyCount"] == 3


def test_v2_owners_are_told_when_asked_for(s3, shelf) -> None:
    assert "Owner" not in s3.list_objects_v2(Bucket=shelf)["Contents"][0]
    assert s3.list_objects_v2(Bucket=shelf, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


def test_v1_owners_are_always_told(s3, shelf) -> None:
    assert s3.list_objects(Bucket=shelf)["Contents"][0]["Owner"]["ID"]


def test_v1_has_a_next_marker_only_with_a_delimiter(s3, shelf) -> None:
    assert "NextMarker" not in s3.list_objects(Bucket=shelf, MaxKeys=1)
    assert s3.list_objects(Bucket=shelf, MaxKeys=2, Delimiter="/")["NextMarker"] == "boo/"


@pytest.mark.parametrize("token", ["!!!", "_w", "not a token"])
def test_a_foreign_token_is_refused(s3, shelf, token) -> None:
    assert refused(s3.list_objects_v2, Bucket=shelf, ContinuationToken=token) == "400 InvalidArgument"


def test_a_token_counts_more_than_a_start(s3, shelf) -> None:
    token = s3.list_objects_v2(Bucket=shelf, MaxKeys=1)["NextContinuationToken"]
    assert listing(s3, 2, Bucket=shelf, ContinuationToken=token, StartAfter="zzz")[0] == KEYS[1:]


def test_the_arguments_are_repeated(s3, shelf) -> None:
    answer = s3.list_objects_v2(Bucket=shelf, Prefix="boo/", Delimiter="/", StartAfter="boo/a", MaxKeys=7)
    assert [answer[name] for name in ("Name", "Prefix", "Delimiter", "StartAfter", "MaxKeys")] == [shelf, "boo/", "/", "boo/a", 7]


def test_v1_arguments_are_repeated(s3, shelf) -> None:
    answer = s3.list_objects(Bucket=shelf, Prefix="boo/", Delimiter="/", Marker="boo/a", MaxKeys=7)
    assert [answer[name] for name in ("Name", "Prefix", "Delimiter", "Marker", "MaxKeys")] == [shelf, "boo/", "/", "boo/a", 7]


def test_entries_describe_their_objects(s3, shelf) -> None:
    entry = s3.list_objects_v2(Bucket=shelf, Prefix="asdf")["Contents"][0]
    head = s3.head_object(Bucket=shelf, Key="asdf")
    assert (entry["ETag"], entry["Size"], entry["LastModified"]) == (head["ETag"], head["ContentLength"], head["LastModified"])


@VERSIONS
def test_url_encoding_spells_what_xml_cannot(raw, shelf, version) -> None:
    query = {"encoding-type": "url", "prefix": "foo"} | ({"list-type": "2"} if version == 2 else {})
    body = raw("GET", f"/{shelf}", query).body.decode()
    assert "<Key>foo%20bar/one</Key>" in body and "<Key>foo/a%2Bb</Key>" in body
    assert "<EncodingType>url</EncodingType>" in body


@VERSIONS
def test_another_encoding_is_refused(raw, shelf, version) -> None:
    query = {"encoding-type": "base64"} | ({"list-type": "2"} if version == 2 else {})
    assert raw("GET", f"/{shelf}", query).outcome == "400 InvalidArgument"


@VERSIONS
def test_an_empty_bucket_lists_nothing(s3, fresh, version) -> None:
    assert listing(s3, version, Bucket=fresh) == ([], [])


@VERSIONS
def test_keys_come_in_the_order_of_their_bytes(s3, fresh, version) -> None:
    keys = ["Z", "a", "a b", "a+b", "a/b", "aa", "b", "ä", "日", "\U0001f98a", "\uffee"]
    for key in reversed(keys):
        s3.put_object(Bucket=fresh, Key=key, Body=b"")
    assert listing(s3, version, Bucket=fresh)[0] == sorted(keys, key=str.encode)


@VERSIONS
def test_deleted_keys_are_not_listed(s3, versioned, version) -> None:
    for key in ("kept", "deleted"):
        s3.put_object(Bucket=versioned, Key=f"{version}/{key}", Body=b"")
    s3.delete_object(Bucket=versioned, Key=f"{version}/deleted")
    assert listing(s3, version, Bucket=versioned, Prefix=f"{version}/")[0] == [f"{version}/kept"]


def test_a_listing_has_its_namespace(raw, shelf) -> None:
    assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in raw("GET", f"/{shelf}").body
