"""A function as people write them, with boto3: copies each object that an event names.

`TARGET` is the bucket to copy to. A key that contains "refuse" is an error of the function.
"""

import os
from urllib.parse import unquote_plus

import boto3

S3 = boto3.client("s3")


class Refused(Exception):
    pass


def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        if "refuse" in key:
            raise Refused(f"as asked: {key}")
        assert context.get_remaining_time_in_millis() > 0
        assert context.invoked_function_arn.endswith(f":function:{context.function_name}")
        body = S3.get_object(Bucket=bucket, Key=key)["Body"].read()
        S3.put_object(Bucket=os.environ["TARGET"], Key=key, Body=body)
    return {"copied": len(event["Records"])}
