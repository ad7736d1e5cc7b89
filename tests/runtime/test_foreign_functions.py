"""Other makers' runtimes in the small cloud, beside Lambda's own emulator."""

import json
import re
import sys
from pathlib import Path

from conftest import FUNCTIONS, emulator, python_function

ONCE = ["--maximum-retry-attempts", "0", "--concurrency", "1"]


def failed(state: dict, key: str) -> dict:
    """The failure destination's record of the event about `key`."""
    records = [event["envelope"] for event in state["failed_events"]]
    [record] = [one for one in records if one["requestPayload"]["Records"][0]["s3"]["object"]["key"] == key]
    return record


def without_ids(value):
    """The same with request ids, times and places blanked, which differ from run to run."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", json.dumps(value))
    return json.loads(text)


def test_a_python_function_with_boto3_copies_what_is_uploaded(cloud):
    up = cloud(python_function("copies.handler"), options=["--env", "TARGET=there"])
    keys = {"a.txt", "with space/ü+.txt"}
    for key in keys:
        up.put(key, key.encode())
    up.until("copies", lambda: up.keys("there") == keys)
    assert up.s3.get_object(Bucket="there", Key="with space/ü+.txt")["Body"].read() == "with space/ü+.txt".encode()
    assert up.idle()["failed_events"] == []
    up.stop()


def test_an_error_of_a_python_function_is_retried_and_filed_as_lambda_files_it(cloud):
    options = ["--env", "TARGET=there", "--maximum-retry-attempts", "1", "--retry-delays", "0"]
    up = cloud(python_function("copies.handler"), options=options)
    up.put("refuse.txt")
    up.put("fine.txt")
    record = failed(up.idle(), "refuse.txt")
    assert up.keys("there") == {"fine.txt"}
    context = record["requestContext"]
    assert set(context) == {"requestId", "functionArn", "condition", "approximateInvokeCount"}
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)
    assert context["functionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:minilab:$LATEST"
    assert record["version"] == "1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    answered = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responseContext"] == answered
    # The very event, run under Lambda's emulator, ends in the very error.
    with emulator(python_function("copies.handler"), {"TARGET": "there"}) as invoke:
        emulated = invoke(record["requestPayload"])
    assert emulated["errorType"] == "Refused" and emulated["stackTrace"]
    assert without_ids(record["responsePayload"]) == without_ids(emulated)


def test_a_function_that_cannot_be_imported_says_why(cloud):
    up = cloud(python_function("broken.handler"), options=ONCE)
    up.put("k")
    error = failed(up.idle(), "k")["responsePayload"]
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "no configuration")


def test_a_function_that_writes_where_it_reads_is_cut_off_and_reported(cloud):
    options = ["--env", "TARGET=here", "--concurrency", "1"]
    up = cloud(python_function("copies.handler"), options=options, buckets=["here"])
    up.put("loop.txt")
    up.until("the loop is cut", lambda: up.state()["queue"]["failed"] == 1)
    state = up.idle()
    assert failed(state, "loop.txt")["requestContext"]["condition"] == "RecursiveInvocationException"
    runs = [one for one in state["invocations"] if one["subjects"] == ["ObjectCreated:Put here/loop.txt"]]
    assert len(runs) == 16
    assert "write to another bucket" in up.log.read_text()


def test_an_external_extension_sees_each_invocation_and_the_shutdown(cloud, tmp_path: Path):
    seen = tmp_path / "seen.jsonl"
    options = ["--env", "TARGET=there", "--env", f"SEEN={seen}", "--env", "PATH=/usr/local/bin:/usr/bin:/bin"]
    options += ["--extension", FUNCTIONS / "watcher.py", "--concurrency", "1"]
    up = cloud(python_function("copies.handler"), options=options)
    for key in ("one", "two"):
        up.put(key)
        up.until("the copy", lambda key=key: key in up.keys("there"))
    invocations = [one["request_id"] for one in up.idle()["invocations"]]
    up.stop()
    events = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["INVOKE", "INVOKE", "SHUTDOWN"]
    assert [event["requestId"] for event in events[:2]] == invocations
    assert events[0]["invokedFunctionArn"].endswith(":function:minilab") and events[0]["deadlineMs"] > 0
    assert events[2]["shutdownReason"] == "spindown"


def test_the_runtime_api_answers_as_lambdas_own_emulator(cloud, tmp_path: Path):
    program = [sys.executable, "contract.py"]
    theirs, ours = tmp_path / "theirs.jsonl", tmp_path / "ours.jsonl"
    with emulator(program, {"TRANSCRIPT": str(theirs)}) as invoke:
        emulated = [invoke({"n": n}) for n in range(1, 6)]
    up = cloud(program, options=[*ONCE, "--env", f"TRANSCRIPT={ours}"])
    for n in range(1, 6):
        up.put(str(n))
        state = up.idle()
    read = lambda path: [json.loads(line) for line in path.read_text().splitlines()]
    # The emulator starts a fresh runtime when one has ended; its second start is of no interest.
    asked = [line[0] for line in read(ours)]
    assert read(ours) == read(theirs)[: len(asked)]
    assert asked.count("next") == 5 and len(asked) > 25
    # What the platform makes of each: the third argument of a failure is its error.
    assert emulated[0] == {"fine": 1}
    assert len(state["failed_events"]) == 4
    for n in (2, 3, 5):
        assert without_ids(failed(state, str(n))["responsePayload"]) == without_ids(emulated[n - 1]), n
    assert failed(state, "4")["responsePayload"]["errorType"] == "Function.ResponseSizeTooLarge"
