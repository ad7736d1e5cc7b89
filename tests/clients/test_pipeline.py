"""A picture that any client drops in the source bucket comes out of the processed bucket."""

import io
import json

import pytest
from PIL import Image

NAMES = ["dogs at the (window) + 100%.jpg", "perros/ventana/dós.jpg"]


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_gets_its_prints_and_loses_them_with_its_deletion(client, name, cloud, photo) -> None:
    key = f"{client.name}/{name}"
    client.upload(photo, cloud.source, key)
    cloud.wait_for_prints(key)
    pixelated = opened(client.download(cloud.processed, f"pixelated-8x8-{key}"))
    assert (pixelated.format, pixelated.size) == ("JPEG", (2056, 3088))
    small = opened(client.download(cloud.processed, f"small/{key}.webp"))
    assert (small.format, small.size) == ("WEBP", (320, 481))
    client.delete(cloud.source, key)
    cloud.wait_for_no_prints(key)


def test_a_copy_within_the_source_bucket_gets_prints_of_its_own(client, cloud, photo) -> None:
    key, copied = f"{client.name}/original.jpg", f"{client.name}/the copy.jpg"
    client.upload(photo, cloud.source, key)
    client.copy(cloud.source, key, copied)
    for one in (key, copied):
        cloud.wait_for_prints(one)
        client.delete(cloud.source, one)
    for one in (key, copied):
        cloud.wait_for_no_prints(one)


def test_text_named_jpg_is_reported_and_the_pipeline_goes_on(client, cloud, photo, tmp_path) -> None:
    key = f"{client.name}/holiday notes.jpg"
    report = f"failures/{key}.json"
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary, this is no photograph.\n" * 40)
    client.upload(text, cloud.source, key)
    cloud.wait_until(f"the report {report}", lambda: report in cloud.keys(cloud.processed, "failures/"))
    said = json.loads(client.download(cloud.processed, report))
    assert said["key"] == key
    assert said["bucket"] == cloud.source
    assert "not an image" in said["reason"]
    assert not cloud.prints_of(key) & cloud.keys(cloud.processed)

    # Another picture is done meanwhile, and so is this key once it holds a picture.
    other = f"{client.name}/after the notes.jpg"
    client.upload(photo, cloud.source, other)
    cloud.wait_for_prints(other)
    client.upload(photo, cloud.source, key)
    cloud.wait_for_prints(key)
    cloud.wait_until(f"the removal of {report}", lambda: report not in cloud.keys(cloud.processed, "failures/"))
    for one in (key, other):
        client.delete(cloud.source, one)
        cloud.wait_for_no_prints(one)


def test_a_photo_uploaded_in_parts_gets_its_prints(cloud, photo) -> None:
    """Parts of 5 MiB, the smallest: what follows a JPEG's end is no part of the picture."""
    s3 = cloud.client()
    key = "parts/dogs.jpg"
    upload = s3.create_multipart_upload(Bucket=cloud.source, Key=key)["UploadId"]
    named = {"Bucket": cloud.source, "Key": key, "UploadId": upload}
    data = photo.read_bytes() + bytes(5 * 2**20)
    pieces = [data[: 5 * 2**20], data[5 * 2**20 :]]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(PartNumber=number, Body=piece, **named)["ETag"]}
        for number, piece in enumerate(pieces, 1)
    ]
    assert not cloud.prints_of(key) & cloud.keys(cloud.processed)
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **named)
    cloud.wait_for_prints(key)
    s3.delete_object(Bucket=cloud.source, Key=key)
    cloud.wait_for_no_prints(key)


def test_deleting_many_sources_at_once_deletes_all_their_prints(cloud, photo) -> None:
    s3 = cloud.client()
    keys = [f"many/{number} & more.jpg" for number in range(4)]
    for key in keys:
        s3.upload_file(str(photo), cloud.source, key)
    for key in keys:
        cloud.wait_for_prints(key)
    s3.delete_objects(Bucket=cloud.source, Delete={"Objects": [{"Key": key} for key in keys]})
    for key in keys:
        cloud.wait_for_no_prints(key)


def test_a_key_too_long_for_its_prints_is_reported(cloud, photo) -> None:
    """The source's key is legal; `pixelated-8x8-` in front of it is not."""
    key = "too long/" + "n" * (1024 - len("too long/") - 4) + ".jpg"
    cloud.client().upload_file(str(photo), cloud.source, key)
    cloud.wait_until("a report under failures/too long/", lambda: bool(cloud.keys(cloud.processed, "failures/too long/")))
    (report,) = cloud.keys(cloud.processed, "failures/too long/")
    said = json.loads(cloud.client().get_object(Bucket=cloud.processed, Key=report)["Body"].read())
    assert said["key"] == key
    assert "1024" in said["reason"]
    cloud.client().delete_object(Bucket=cloud.source, Key=key)
    cloud.wait_until("the removal of the report", lambda: not cloud.keys(cloud.processed, "failures/too long/"))
