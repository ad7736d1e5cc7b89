"""Events as the stores write them, for keys of the test."""

import urllib.parse

from servers import SOURCE


def record(source: str, name: str, key: str, bucket: str = SOURCE) -> dict:
    return {
        "eventVersion": "2.1",
        "eventSource": source,
        "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": {"key": key, "sequencer": "1"}},
    }


def minio(key: str, name: str = "s3:ObjectCreated:Put", bucket: str = SOURCE) -> dict:
    written = urllib.parse.quote_plus(key, safe="")
    return {
        "EventName": name,
        "Key": f"{bucket}/{key}",
        "Records": [record("minio:s3", name, written, bucket)],
    }


def ceph(key: str, name: str = "ObjectCreated:Put") -> dict:
    return {"Records": [record("ceph:s3", name, key)]}


def aws(*keys: str) -> dict:
    return {"Records": [record("aws:s3", "ObjectCreated:Put", urllib.parse.quote_plus(key, safe="/")) for key in keys]}


def cloud_event(data: object) -> dict:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": f"aws:s3.us-east-1.{SOURCE}",
        "type": "com.amazonaws.s3.ObjectCreated:Put",
        "datacontenttype": "application/json",
        "data": data,
    }
