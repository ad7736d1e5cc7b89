"""`minilab up` lets nobody in by accident: loopback by itself, a key of one's own elsewhere, and it is that key."""

import os
import subprocess

import boto3
import botocore.config
import pytest

import small_cloud
from raw import refused

SECRET = "a secret that nobody would guess"
OWN = {"MINILAB_ACCESS_KEY_ID": "somebody", "MINILAB_SECRET_ACCESS_KEY": SECRET}


def ending(minilab, folder, environment: dict, *addresses: str) -> str:
    """Standard error of an `up` that must not start."""
    command = [minilab, "up", "--data-dir", folder / "data", *addresses]
    environment = small_cloud.without_proxies(os.environ) | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_an_address_that_others_reach_demands_a_key(minilab, tmp_path, address) -> None:
    said = ending(minilab, tmp_path, {}, "--s3-addr", address, "--console-addr", "127.0.0.1:0")
    assert "other machines" in said and "MINILAB_SECRET_ACCESS_KEY" in said


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_the_console_listens_on_loopback_only(minilab, tmp_path, address) -> None:
    assert "other machines" in ending(minilab, tmp_path, OWN, "--s3-addr", "127.0.0.1:0", "--console-addr", address)


def test_a_weak_secret_is_refused_and_not_repeated(minilab, tmp_path) -> None:
    weak = OWN | {"MINILAB_SECRET_ACCESS_KEY": "letmein"}
    said = ending(minilab, tmp_path, weak, "--s3-addr", "0.0.0.0:0", "--console-addr", "127.0.0.1:0")
    assert "20" in said and "letmein" not in said


@pytest.mark.parametrize("name", list(OWN))
def test_half_a_key_is_refused(minilab, tmp_path, name) -> None:
    said = ending(minilab, tmp_path, {name: OWN[name]}, "--s3-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0")
    assert "both" in said and SECRET not in said


def test_a_key_of_ones_own_is_the_one_that_opens(minilab, tmp_path, monkeypatch) -> None:
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    with small_cloud.running(minilab, tmp_path) as cloud:
        assert (cloud.access_key_id, cloud.secret_access_key) == ("somebody", SECRET)
        assert refused(cloud.client().list_buckets) == "accepted: 200"
        assert refused(cloud.client(aws_secret_access_key="another").list_buckets) == "403 SignatureDoesNotMatch"
        assert not (tmp_path / "data" / "root-credentials.json").exists()
        assert SECRET not in cloud.log.read_text()


def test_a_key_that_is_made_here_is_kept_from_other_users(cloud) -> None:
    kept = cloud.log.parent / "data" / "root-credentials.json"
    assert kept.stat().st_mode & 0o077 == 0


def test_another_clouds_key_opens_nothing(cloud) -> None:
    config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
    other = boto3.client("s3", endpoint_url=cloud.endpoint, region_name="us-east-1", config=config, aws_access_key_id="AKIAAAAAAAAAAAAAAAAA", aws_secret_access_key="x" * 40)
    assert refused(other.list_buckets) == "403 InvalidAccessKeyId"
