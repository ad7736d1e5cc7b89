"""Notification configurations: setting, reading, what is refused."""

import pytest

from raw import refused


@pytest.fixture(scope="module")
def function(s3, cloud) -> str:
    """The one function that runs here, as the source bucket's own trigger names it."""
    found = s3.get_bucket_notification_configuration(Bucket=cloud.source)["LambdaFunctionConfigurations"]
    return found[0]["LambdaFunctionArn"]


def rule(function: str, name: str = "r", events=("s3:ObjectCreated:*",), prefix: str | None = None, suffix: str | None = None) -> dict:
    found = {"Id": name, "LambdaFunctionArn": function, "Events": list(events)}
    filters = [{"Name": kind, "Value": value} for kind, value in (("Prefix", prefix), ("Suffix", suffix)) if value is not None]
    return found | ({"Filter": {"Key": {"FilterRules": filters}}} if filters else {})


def set_rules(s3, bucket: str, *rules: dict, **more) -> str:
    configuration = {"LambdaFunctionConfigurations": list(rules)}
    return refused(s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=configuration, **more)


def test_a_new_bucket_has_none(s3, fresh) -> None:
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=fresh)


RULES = {
    "all-created": {},
    "put-only": {"events": ["s3:ObjectCreated:Put"]},
    "several-events": {"events": ["s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", "s3:ObjectRemoved:*"]},
    "prefix": {"prefix": "in/"},
    "suffix": {"suffix": ".jpg"},
    "both": {"prefix": "in/", "suffix": ".jpg"},
    "tagging": {"events": ["s3:ObjectTagging:*"]},
    "marker": {"events": ["s3:ObjectRemoved:DeleteMarkerCreated"]},
    "unicode": {"prefix": "ü b/"},
}


@pytest.mark.parametrize("arguments", RULES.values(), ids=RULES.keys())
def test_a_rule_comes_back(s3, fresh, function, arguments) -> None:
    wanted = rule(function, **arguments)
    assert set_rules(s3, fresh, wanted) == "accepted: 200"
    assert s3.get_bucket_notification_configuration(Bucket=fresh)["LambdaFunctionConfigurations"] == [wanted]


def test_a_rule_without_an_id_gets_one(s3, fresh, function) -> None:
    wanted = rule(function)
    del wanted["Id"]
    set_rules(s3, fresh, wanted)
    assert s3.get_bucket_notification_configuration(Bucket=fresh)["LambdaFunctionConfigurations"][0]["Id"]


def test_an_empty_configuration_removes_the_rules(s3, fresh, function) -> None:
    set_rules(s3, fresh, rule(function))
    assert refused(s3.put_bucket_notification_configuration, Bucket=fresh, NotificationConfiguration={}) == "accepted: 200"
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=fresh)


DISJOINT = {
    "prefixes": ({"prefix": "a/"}, {"prefix": "b/"}),
    "suffixes": ({"suffix": ".jpg"}, {"suffix": ".png"}),
    "events": ({"events": ["s3:ObjectCreated:*"]}, {"events": ["s3:ObjectRemoved:*"]}),
    "kinds-of-one-event": ({"events": ["s3:ObjectCreated:Put"]}, {"events": ["s3:ObjectCreated:Copy"]}),
    "same-prefix-other-suffix": ({"prefix": "a/", "suffix": ".jpg"}, {"prefix": "a/", "suffix": ".png"}),
}
OVERLAPPING = {
    "the-same": ({}, {}),
    "prefix-of-prefix": ({"prefix": "a/"}, {"prefix": "a/b/"}),
    "any-and-prefix": ({}, {"prefix": "a/"}),
    "suffix-of-suffix": ({"suffix": "g"}, {"suffix": ".jpg"}),
    "event-of-family": ({"events": ["s3:ObjectCreated:*"]}, {"events": ["s3:ObjectCreated:Put"]}),
    "prefix-and-suffix": ({"prefix": "a/"}, {"suffix": ".jpg"}),
}


@pytest.mark.parametrize(("one", "two"), DISJOINT.values(), ids=DISJOINT.keys())
def test_rules_that_do_not_overlap(s3, fresh, function, one, two) -> None:
    assert set_rules(s3, fresh, rule(function, "1", **one), rule(function, "2", **two)) == "accepted: 200"


@pytest.mark.parametrize(("one", "two"), OVERLAPPING.values(), ids=OVERLAPPING.keys())
def test_rules_that_overlap_are_refused(s3, fresh, function, one, two) -> None:
    assert set_rules(s3, fresh, rule(function, "1", **one), rule(function, "2", **two)) == "400 InvalidArgument"
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=fresh)


def test_two_rules_of_one_id(s3, fresh, function) -> None:
    assert set_rules(s3, fresh, rule(function, "1", prefix="a"), rule(function, "1", prefix="b")) == "400 InvalidArgument"


EVENTS = [
    ("s3:ObjectCreated:Nothing", "400 InvalidArgument"),
    ("s3:Nothing:*", "400 InvalidArgument"),
    ("nonsense", "400 InvalidArgument"),
    ("s3:ReducedRedundancyLostObject", "501 NotImplemented"),
    ("s3:ObjectRestore:Post", "501 NotImplemented"),
    ("s3:Replication:*", "501 NotImplemented"),
    ("s3:LifecycleExpiration:*", "501 NotImplemented"),
    ("s3:ObjectAcl:Put", "501 NotImplemented"),
]


@pytest.mark.parametrize(("event", "outcome"), EVENTS, ids=[case[0] for case in EVENTS])
def test_an_event_that_never_happens(s3, fresh, function, event, outcome) -> None:
    assert set_rules(s3, fresh, rule(function, events=[event])) == outcome


def test_an_unknown_function(s3, fresh) -> None:
    unknown = "arn:aws:lambda:us-east-1:000000000000:function:nothing"
    assert set_rules(s3, fresh, rule(unknown)) == "400 InvalidArgument"
    assert set_rules(s3, fresh, rule(unknown), SkipDestinationValidation=True) == "accepted: 200"


@pytest.mark.parametrize(
    "filters",
    [[{"Name": "Infix", "Value": "a"}], [{"Name": "Prefix", "Value": "a"}, {"Name": "prefix", "Value": "b"}], [{"Name": "Prefix", "Value": "x" * 1025}]],
    ids=["unknown", "twice", "long"],
)
def test_a_filter_that_is_none(s3, fresh, function, filters) -> None:
    wanted = rule(function) | {"Filter": {"Key": {"FilterRules": filters}}}
    assert set_rules(s3, fresh, wanted) == "400 InvalidArgument"


OTHERS = {
    "queue": {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:ObjectCreated:*"]}]},
    "topic": {"TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Events": ["s3:ObjectCreated:*"]}]},
    "event-bridge": {"EventBridgeConfiguration": {}},
}


@pytest.mark.parametrize("configuration", OTHERS.values(), ids=OTHERS.keys())
def test_a_destination_that_nothing_delivers_to(s3, fresh, configuration) -> None:
    answer = refused(s3.put_bucket_notification_configuration, Bucket=fresh, NotificationConfiguration=configuration)
    assert answer == "501 NotImplemented"
