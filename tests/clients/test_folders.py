"""Whole folders: sync and move, as people use the command-line clients."""

import pytest

import s3_clients

FILES = {"a.bin": b"a", "with space/b + c.bin": b"bc", "deep/er/ü.bin": b"u", "100%.bin": b"%"}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "folder"


def stored(cloud, bucket, prefix) -> dict[str, bytes]:
    s3 = cloud.client()
    return {
        key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in cloud.keys(bucket, prefix)
    }


def made(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


SYNC = {
    "aws": lambda client, source, target: client.aws("s3", "sync", source, target, "--delete", "--only-show-errors"),
    "s3cmd": lambda client, source, target: client.s3cmd("sync", "--delete-removed", source, target),
    "rclone": lambda client, source, target: client.rclone("sync", source, target),
}


@pytest.mark.parametrize("client", SYNC, indirect=True)
def test_a_folder_is_synchronised_both_ways(client, folder, scratch, cloud, tmp_path) -> None:
    prefix = f"{client.name}/sync/"
    remote = f"lab:{scratch}/{prefix}" if client.name == "rclone" else f"s3://{scratch}/{prefix}"
    sync = SYNC[client.name]
    sync(client, f"{folder}/", remote)
    assert stored(cloud, scratch, prefix) == FILES
    (folder / "a.bin").unlink()
    (folder / "new.bin").write_bytes(b"new")
    sync(client, f"{folder}/", remote)
    expected = {name: data for name, data in FILES.items() if name != "a.bin"} | {"new.bin": b"new"}
    assert stored(cloud, scratch, prefix) == expected
    back = tmp_path / "back"
    back.mkdir()
    sync(client, remote, f"{back}/")
    assert made(back) == expected


MOVE = {
    "aws": lambda client, bucket, key, to: client.aws("s3", "mv", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}"),
    "s3cmd": lambda client, bucket, key, to: client.s3cmd("mv", f"s3://{bucket}/{key}", f"s3://{bucket}/{to}"),
    "rclone": lambda client, bucket, key, to: client.rclone("moveto", f"lab:{bucket}/{key}", f"lab:{bucket}/{to}"),
}


@pytest.mark.parametrize("client", MOVE, indirect=True)
def test_an_object_is_moved(client, scratch, cloud) -> None:
    prefix = f"{client.name}/move/"
    cloud.client().put_object(Bucket=scratch, Key=f"{prefix}from + here.bin", Body=b"moved")
    MOVE[client.name](client, scratch, f"{prefix}from + here.bin", f"{prefix}to (there).bin")
    assert stored(cloud, scratch, prefix) == {"to (there).bin": b"moved"}


REMOVE = {
    "aws": lambda client, bucket, prefix: client.aws("s3", "rm", "--recursive", f"s3://{bucket}/{prefix}"),
    "s3cmd": lambda client, bucket, prefix: client.s3cmd("del", "--recursive", f"s3://{bucket}/{prefix}"),
    "rclone": lambda client, bucket, prefix: client.rclone("purge", f"lab:{bucket}/{prefix}"),
}


@pytest.mark.parametrize("client", REMOVE, indirect=True)
def test_a_folder_is_removed(client, scratch, cloud) -> None:
    prefix = f"{client.name}/remove/"
    for name in FILES:
        cloud.client().put_object(Bucket=scratch, Key=prefix + name, Body=b"x")
    cloud.client().put_object(Bucket=scratch, Key=f"{client.name}/remove-not", Body=b"x")
    REMOVE[client.name](client, scratch, prefix)
    assert cloud.keys(scratch, prefix) == set()
    assert cloud.keys(scratch, f"{client.name}/remove-not")


def test_every_command_line_client_is_in_these_tables() -> None:
    assert set(SYNC) == set(MOVE) == set(REMOVE) == set(s3_clients.CLIENTS) - {"boto3", "node"}
