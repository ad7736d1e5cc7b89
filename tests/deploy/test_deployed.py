"""The CloudFormation template, deployed to moto: an implementation of AWS's
services that nobody here wrote. The stack comes up, and what it made reads back
as written. What moto's CloudFormation passes over (notifications, alarms, the
buckets' settings) is put through the services' own APIs as the template says it,
and read back from there. Moto takes a policy's conditions for granted; `minilab
up` does not."""

import ast
import io
import json
import zipfile

import boto3
import pytest

import templates
from conftest import KEYS


def told_by_hand(template: dict, aws: dict) -> set[str]:
    """Puts what moto's CloudFormation passes over through the services' APIs;
    the kinds of resources for which that was done."""
    resources = template["Resources"]
    name = resources["Function"]["Properties"]["FunctionName"]
    function = aws["lambda"].get_function_configuration(FunctionName=name)["FunctionArn"]
    queues = {"DeadLetters": f"{name}-dead-letters", "Events": f"{name}-events"}
    account = function.split(":")[4]

    def resolved(value):
        """References to the stack's own resources, and no others."""
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Ref": "Function"}:
                return name
            case {"Ref": "AWS::AccountId"}:
                return account
            case {"Ref": "Events"}:
                return queues["Events"]
            case {"Ref": "SourceBucket" | "ProcessedBucket" as bucket}:
                return resources[bucket]["Properties"]["BucketName"]
            case {"Fn::GetAtt": ["Function", "Arn"]}:
                return function
            case {"Fn::GetAtt": [queue, "Arn"]} if queue in queues:
                return f"arn:aws:sqs:us-east-1:{account}:{queues[queue]}"
            case {"Fn::GetAtt": [queue, "QueueName"]} if queue in queues:
                return queues[queue]
            case {"Fn::GetAtt": [bucket, "Arn"]}:
                return "arn:aws:s3:::" + resources[bucket]["Properties"]["BucketName"]
            case {"Fn::Sub": text}:
                bucket = text.removeprefix("${").split(".")[0]
                return "arn:aws:s3:::" + resources[bucket]["Properties"]["BucketName"] + text.split("}")[1]
        return {key: resolved(item) for key, item in value.items()}

    told = set()
    for resource in resources.values():
        kind = resource["Type"].split("::")[-1]
        if kind not in {"Alarm", "BucketPolicy", "EventInvokeConfig", "QueuePolicy", "Bucket"}:
            continue
        told.add(kind)
        properties = resolved(resource["Properties"])
        if kind == "Alarm":
            aws["cloudwatch"].put_metric_alarm(**properties)
        elif kind == "BucketPolicy":
            policy = json.dumps(properties["PolicyDocument"])
            aws["s3"].put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
        elif kind == "QueuePolicy":
            (queue,) = properties["Queues"]
            url = aws["sqs"].get_queue_url(QueueName=queue)["QueueUrl"]
            policy = json.dumps(properties["PolicyDocument"])
            aws["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        elif kind == "EventInvokeConfig":
            # Refused unless the destination is an ARN that can be one.
            assert properties.pop("Qualifier") == "$LATEST"
            aws["lambda"].put_function_event_invoke_config(**properties)
        else:
            bucket = {"Bucket": properties["BucketName"]}
            block = properties["PublicAccessBlockConfiguration"]
            aws["s3"].put_public_access_block(**bucket, PublicAccessBlockConfiguration=block)
            if "VersioningConfiguration" in properties:
                versioning = properties["VersioningConfiguration"]
                aws["s3"].put_bucket_versioning(**bucket, VersioningConfiguration=versioning)
            if "NotificationConfiguration" in properties:
                notification = api_notification(properties["NotificationConfiguration"])
                aws["s3"].put_bucket_notification_configuration(**bucket, NotificationConfiguration=notification)
    return told


def api_notification(said: dict) -> dict:
    """CloudFormation's words for a notification in those of S3's API."""
    kinds = {"LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
             "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn")}
    told = {}
    for kind, rules in said.items():
        named, target, arn = kinds[kind]
        told[named] = [
            {
                arn: rule[target],
                "Events": [rule["Event"]],
                "Filter": {"Key": {"FilterRules": rule["Filter"]["S3Key"]["Rules"]}},
            }
            for rule in rules
        ]
    return told


def role_policy(aws: dict, role: str, name: str) -> dict:
    """Moto gives a policy that came by CloudFormation as Python would print it."""
    document = aws["iam"].get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    return ast.literal_eval(document) if isinstance(document, str) else document


@pytest.fixture(scope="module", params=["direct", "everything"])
def stack(request, aws, render):
    """A stack that came up, with clients of its services."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    clients = {
        name: session.client(name, endpoint_url=aws)
        for name in ["cloudformation", "s3", "lambda", "iam", "sqs", "logs", "cloudwatch"]
    }
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    bucket = f"code-{request.param}"
    clients["s3"].create_bucket(Bucket=bucket)
    clients["s3"].put_object(Bucket=bucket, Key="bootstrap.zip", Body=code.getvalue())
    name = f"stack-{request.param}"
    clients["cloudformation"].create_stack(
        StackName=name,
        TemplateBody=render("cloudformation", request.param),
        Parameters=[
            {"ParameterKey": "CodeBucket", "ParameterValue": bucket},
            {"ParameterKey": "CodeKey", "ParameterValue": "bootstrap.zip"},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    told = told_by_hand(templates.cloudformation(render("cloudformation", request.param)), clients)
    assert told == {"Bucket", "BucketPolicy", "Alarm", "EventInvokeConfig" if request.param == "direct" else "QueuePolicy"}
    yield name, request.param, clients
    for made in ("acme-uploads", "acme-prints"):
        clients["s3"].delete_bucket(Bucket=made)


def test_the_stack_comes_up_and_reads_back_as_written(stack, minilab, folder) -> None:
    name, variant, aws = stack
    (found,) = aws["cloudformation"].describe_stacks(StackName=name)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE", found
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
    assert outputs["SourceBucketName"] == "acme-uploads"

    everything = variant == "everything"
    function = aws["lambda"].get_function_configuration(FunctionName="acme" if everything else "minilab")
    assert function["FunctionArn"] == outputs["FunctionArn"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Handler"] == "bootstrap"
    assert function["MemorySize"] == (1769 if everything else 1024)
    assert function["Timeout"] == (120 if everything else 60)
    assert function["Environment"]["Variables"]["MINILAB_RECIPE"] == (folder / "minilab.toml").read_text()

    role = function["Role"].split("/")[-1]
    assert role_policy(aws, role, "recipe") == json.loads(templates.run(minilab, "policy", *(KEYS if everything else []), folder=folder))
    (log,) = role_policy(aws, role, "log")["Statement"]
    assert log["Resource"].removesuffix(":*").endswith(f":log-group:/aws/lambda/{function['FunctionName']}")

    (group,) = aws["logs"].describe_log_groups(logGroupNamePrefix="/aws/lambda/" + function["FunctionName"])["logGroups"]
    assert group["retentionInDays"] == (90 if everything else 30)
    alarms = aws["cloudwatch"].describe_alarms(AlarmNamePrefix=function["FunctionName"])["MetricAlarms"]
    last = "behind" if everything else "lost"
    expected = {f"{function['FunctionName']}-{slug}" for slug in ["failures", "throttles", "dead-letters", last]}
    assert {alarm["AlarmName"] for alarm in alarms} == expected
    if everything:
        assert all(alarm["AlarmActions"] == ["arn:aws:sns:us-east-1:123456789012:ops"] for alarm in alarms)


def test_the_trigger_reads_back_as_written(stack) -> None:
    _, variant, aws = stack
    told = aws["s3"].get_bucket_notification_configuration(Bucket="acme-uploads")
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    if variant == "direct":
        rules = told["LambdaFunctionConfigurations"]
        assert all(rule["LambdaFunctionArn"].endswith(":function:minilab") for rule in rules)
        (permission,) = json.loads(aws["lambda"].get_policy(FunctionName="minilab")["Policy"])["Statement"]
        assert permission["Principal"] == {"Service": "s3.amazonaws.com"}
        assert permission["Condition"] == {
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::acme-uploads"},
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
        }
    else:
        rules = told["QueueConfigurations"]
        url = aws["sqs"].get_queue_url(QueueName="acme-events")["QueueUrl"]
        queue = aws["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert all(rule["QueueArn"] == queue["QueueArn"] for rule in rules)
        assert queue["VisibilityTimeout"] == "720"
        redrive = json.loads(queue["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"].endswith(":acme-dead-letters")
        assert int(redrive["maxReceiveCount"]) == 5
        (statement,) = json.loads(queue["Policy"])["Statement"]
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
        (mapping,) = aws["lambda"].list_event_source_mappings(FunctionName="acme")["EventSourceMappings"]
        assert mapping["EventSourceArn"] == queue["QueueArn"]
        assert mapping["BatchSize"] == 3
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert sorted(event for rule in rules for event in rule["Events"]) == events
    for rule in rules:
        (filter_rule,) = rule["Filter"]["Key"]["FilterRules"]
        assert (filter_rule["Name"].lower(), filter_rule["Value"]) == ("prefix", "in ${x}/*/")


def test_the_buckets_are_closed_and_encrypted(stack) -> None:
    _, variant, aws = stack
    for bucket in ("acme-uploads", "acme-prints"):
        block = aws["s3"].get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values()) and len(block) == 4
        (rule,) = aws["s3"].get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        algorithm = rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert algorithm == ("aws:kms" if variant == "everything" else "AES256")
        versioned = aws["s3"].get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
        assert versioned == (variant == "everything" or bucket == "acme-uploads")
