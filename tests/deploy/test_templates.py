"""Templates are clean under their languages' own checkers, and grant what
`minilab policy` prints. What is not shown here: Terraform's own binary and its
provider, which no package registry has."""

import json

import cfnlint.api
import pytest
from parliament import analyze_policy_string

import templates
from conftest import KEYS, RECIPE, VARIANTS

variants = pytest.mark.parametrize("variant", list(VARIANTS))
queued = ("sqs", "everything", "existing-sqs")


def policy(minilab, folder, *args: str) -> dict:
    return json.loads(templates.run(minilab, "policy", *args, folder=folder))


def findings(text: str) -> list[str]:
    """Errors and warnings, as cfn-lint reports them unless asked for advice."""
    return [str(match) for match in cfnlint.api.lint_all(text) if match.rule.id[0] in "EW"]


@variants
@pytest.mark.parametrize("language", ["cloudformation", "sam"])
def test_cfn_lint_finds_nothing(render, language, variant) -> None:
    assert findings(render(language, variant)) == []


def test_cfn_lint_would_find_a_misspelt_action_and_a_misspelt_property(render) -> None:
    """The checker checks: without this, an empty list above could mean anything."""
    text = render("cloudformation", "direct")
    for right, wrong in [("logs:PutLogEvents", "logs:PutLogEvent"), ("MemorySize:", "MemorySizes:")]:
        assert right in text
        assert findings(text.replace(right, wrong)), wrong


@variants
@pytest.mark.parametrize("language", ["cloudformation", "sam", "terraform"])
def test_the_role_is_what_minilab_policy_prints(minilab, folder, render, language, variant) -> None:
    text = render(language, variant)
    expected = policy(minilab, folder, *(KEYS if variant == "everything" else []))
    if language == "terraform":
        found = templates.terraform_policy(text, "aws_iam_role_policy", "recipe")
    else:
        found = templates.policies(templates.cloudformation(text))["recipe"]
    assert found == expected


@pytest.mark.parametrize("keys", [[], KEYS])
def test_parliament_finds_nothing_in_the_policy(minilab, folder, keys) -> None:
    document = policy(minilab, folder, *keys)
    found = analyze_policy_string(json.dumps(document)).findings
    assert [str(finding) for finding in found] == []
    document["Statement"][0]["Action"] = ["s3:GetObjects"]
    assert analyze_policy_string(json.dumps(document)).findings, "a misspelt action is found"


@variants
def test_every_statement_says_why_it_is_there(minilab, folder, render, variant) -> None:
    for language in ("cloudformation", "terraform"):
        text = render(language, variant)
        for statement in policy(minilab, folder, *(KEYS if variant == "everything" else []))["Statement"]:
            assert f"# {statement['Sid']}: to " in text or f"# {statement['Sid']}: without " in text, statement["Sid"]


@variants
def test_the_recipe_arrives_as_it_was_written(render, variant) -> None:
    for language in ("cloudformation", "sam"):
        function = templates.cloudformation(render(language, variant))["Resources"]["Function"]["Properties"]
        assert function["Environment"]["Variables"]["MINILAB_RECIPE"] == RECIPE
    text = render("terraform", variant)
    start = text.index("MINILAB_RECIPE = <<RECIPE\n") + len("MINILAB_RECIPE = <<RECIPE\n")
    heredoc = text[start : text.index("\nRECIPE\n", start) + 1]
    assert heredoc.replace("$${", "${").replace("%%{", "%{") == RECIPE
    assert "${" not in heredoc.replace("$${", ""), "no expression begins in it"


@variants
def test_terraform_is_hcl_and_says_what_cloudformation_says(render, variant) -> None:
    resources = templates.terraform(render("terraform", variant))
    other = templates.cloudformation(render("cloudformation", variant))["Resources"]
    function = resources["aws_lambda_function", "function"]
    same = other["Function"]["Properties"]
    assert function["memory_size"] == same["MemorySize"]
    assert function["timeout"] == same["Timeout"]
    assert [name.strip('"') for name in function["architectures"]] == same["Architectures"]
    assert function.get("reserved_concurrent_executions") == same.get("ReservedConcurrentExecutions")

    count = lambda kind: sum(1 for resource in other.values() if resource["Type"] == kind)  # noqa: E731
    for ours, theirs in [
        ("aws_s3_bucket", "AWS::S3::Bucket"),
        ("aws_s3_bucket_policy", "AWS::S3::BucketPolicy"),
        ("aws_sqs_queue", "AWS::SQS::Queue"),
        ("aws_sqs_queue_policy", "AWS::SQS::QueuePolicy"),
        ("aws_lambda_permission", "AWS::Lambda::Permission"),
        ("aws_lambda_event_source_mapping", "AWS::Lambda::EventSourceMapping"),
        ("aws_lambda_function_event_invoke_config", "AWS::Lambda::EventInvokeConfig"),
        ("aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm"),
        ("aws_cloudwatch_dashboard", "AWS::CloudWatch::Dashboard"),
        ("aws_cloudwatch_log_group", "AWS::Logs::LogGroup"),
        ("aws_iam_role", "AWS::IAM::Role"),
    ]:
        assert sum(1 for kind, _ in resources if kind == ours) == count(theirs), ours
    assert count("AWS::S3::Bucket") == (0 if variant.startswith("existing") else 2)
    assert count("AWS::CloudWatch::Alarm") == 4


@variants
def test_only_this_bucket_of_this_account_may_send_events(render, variant) -> None:
    resources = templates.cloudformation(render("cloudformation", variant))["Resources"]
    account, source = {"Ref": "AWS::AccountId"}, "arn:aws:s3:::acme-uploads"
    if variant in queued:
        (statement,) = resources["EventsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Condition"] == {
            "ArnLike": {"aws:SourceArn": source},
            "StringEquals": {"aws:SourceAccount": account},
        }
    else:
        permission = resources["InvokePermission"]["Properties"]
        assert (permission["SourceAccount"], permission["SourceArn"]) == (account, source)
    text = render("terraform", variant)
    assert "data.aws_caller_identity.current.account_id" in text


@variants
def test_the_log_permission_is_for_this_functions_log_alone(render, variant) -> None:
    resources = templates.cloudformation(render("cloudformation", variant))
    (statement,) = templates.policies(resources)["log"]["Statement"]
    assert statement["Resource"] == {"Fn::GetAtt": ["Log", "Arn"]}


@variants
def test_the_dashboard_is_json(render, variant) -> None:
    resources = templates.cloudformation(render("cloudformation", variant))["Resources"]
    body = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    assert len(body["widgets"]) == 7
    graphs = [widget["properties"]["metrics"] for widget in body["widgets"] if widget["type"] == "metric"]
    own = [metric for metrics in graphs for metric in metrics if metric[0] == "minilab"]
    name = resources["Function"]["Properties"]["FunctionName"]
    assert {metric[1] for metric in own} >= {"Printed", "Rejected", "Failed", "ReconcileTime"}
    # The namespace and the dimension of the function's own lines.
    assert all(metric[2:4] == ["FunctionName", name] for metric in own)


def test_an_existing_bucket_is_told_by_a_command_that_the_shell_understands(render) -> None:
    import shlex

    for variant, kind in [("existing", "LambdaFunctionConfigurations"), ("existing-sqs", "QueueConfigurations")]:
        outputs = templates.cloudformation(render("cloudformation", variant))["Outputs"]
        command = outputs["NotificationCommand"]["Value"]["Fn::Sub"].replace("${!", "${")
        words = shlex.split(command)
        (rule,) = json.loads(words[-1])[kind]
        assert rule["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "in ${x}/*/"}]
        assert rule["Events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
