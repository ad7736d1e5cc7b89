"""What every client does with objects: put, get, list, copy, range, presign, delete, under difficult names."""

import hashlib

import pytest

import s3_clients

LONG = "/".join(["long " + "ü" * 97] * 5)
LONG += "/" + "x" * (1024 - len(LONG.encode()) - 1)
KEYS = [
    "plain.bin",
    "with space.bin",
    "plus+sign.bin",
    "percent%20sign.bin",
    "round (brackets).bin",
    "ünïcödé 日本語.bin",
    "quote's & ampersand=.bin",
    "deep/prefix/of/several/levels/object.bin",
    "a//b.bin",
]
RANGED = [name for name, client in s3_clients.CLIENTS.items() if issubclass(client, s3_clients.Ranged)]


def cases() -> list:
    return [
        pytest.param(client, key, id=f"{client}-{key}")
        for client, listed in s3_clients.CLIENTS.items()
        for key in KEYS
        if key not in listed.cannot_name
    ]


@pytest.mark.parametrize(("client", "key"), cases(), indirect=["client"])
def test_an_object_comes_back_under_a_difficult_name(client, key, scratch, cloud, tmp_path) -> None:
    path = tmp_path / "object.bin"
    path.write_bytes(f"{client.name} {key}".encode())
    stored = f"{client.name}/names/{key}"
    client.upload(path, scratch, stored)
    # What another client sees is what is stored.
    assert stored in cloud.keys(scratch, f"{client.name}/names/")
    assert client.download(scratch, stored) == path.read_bytes()
    client.copy(scratch, stored, f"{client.name}/copies/{key}")
    assert cloud.client().get_object(Bucket=scratch, Key=f"{client.name}/copies/{key}")["Body"].read() == path.read_bytes()
    assert s3_clients.fetch(client.presign(scratch, stored)) == path.read_bytes()
    client.delete(scratch, stored)
    assert stored not in cloud.keys(scratch, f"{client.name}/names/")


def test_a_key_may_have_1024_bytes(client, scratch, cloud, tmp_path) -> None:
    path = tmp_path / "object.bin"
    path.write_bytes(client.name.encode())
    assert len(LONG.encode()) == 1024
    client.upload(path, scratch, LONG)
    assert LONG in cloud.keys(scratch, "long ")
    assert client.download(scratch, LONG) == client.name.encode()
    client.delete(scratch, LONG)
    assert LONG not in cloud.keys(scratch, "long ")


def test_a_listing_is_complete(client, scratch, cloud, tmp_path) -> None:
    prefix = f"{client.name}/listing/"
    keys = {f"{prefix}{number:02}.bin" for number in range(12)} | {f"{prefix}below/it {number}.bin" for number in range(3)}
    for key in keys:
        cloud.client().put_object(Bucket=scratch, Key=key, Body=b"x")
    assert client.list(scratch, prefix) == keys


def test_60_megabytes_in_parts_come_back_whole(client, scratch, cloud, sixty_megabytes) -> None:
    key = f"{client.name}/large/sixty megabytes.bin"
    digest = hashlib.sha256(sixty_megabytes.read_bytes()).hexdigest()
    client.upload(sixty_megabytes, scratch, key)
    head = cloud.client().head_object(Bucket=scratch, Key=key)
    assert head["ContentLength"] == 60_000_000
    assert "-" in head["ETag"], f"{head['ETag']} is not the ETag of an upload in parts"
    assert hashlib.sha256(client.download(scratch, key)).hexdigest() == digest
    copied = f"{client.name}/large/copy.bin"
    client.copy(scratch, key, copied)
    body = cloud.client().get_object(Bucket=scratch, Key=copied)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == digest
    for stored in (key, copied):
        client.delete(scratch, stored)
    assert not cloud.client().list_multipart_uploads(Bucket=scratch).get("Uploads")


@pytest.mark.parametrize("client", RANGED, indirect=True)
@pytest.mark.parametrize(("first", "last"), [(0, 0), (10, 99), (29_999_990, 30_000_009), (59_999_999, 59_999_999)])
def test_a_range_is_read(client, first, last, cloud, scratch, sixty_megabytes) -> None:
    key = "ranges/sixty megabytes.bin"
    if key not in cloud.keys(scratch, "ranges/"):
        cloud.client().upload_file(str(sixty_megabytes), scratch, key)
    assert client.range(scratch, key, first, last) == sixty_megabytes.read_bytes()[first : last + 1]


def test_an_overwrite_is_seen_at_once(client, scratch, tmp_path) -> None:
    path = tmp_path / "object.bin"
    for version in range(3):
        path.write_bytes(f"version {version}".encode())
        client.upload(path, scratch, f"{client.name}/overwritten.bin")
        assert client.download(scratch, f"{client.name}/overwritten.bin") == path.read_bytes()
