"""What is seen of the function and of the small cloud: metrics by the reader that
Prometheus' makers wrote, traces by a collector that decodes the protocol's own messages."""

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import small_cloud
from collector import Span, collector, runtime_api
from conftest import emulator

PICTURE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "png" / "rgb8" / "input.png"
SECRET = "collector-secret"


def event(bucket: str, key: str) -> dict:
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}


def scraped(cloud: small_cloud.Cloud) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus reads them."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(cloud.console.split("?")[0] + "metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = answer.read().decode()
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={text}" for name, text in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def upload(cloud: small_cloud.Cloud, key: str, body: bytes) -> None:
    cloud.client().put_object(Bucket=cloud.source, Key=key, Body=body)


def test_prometheus_reads_what_the_cloud_and_its_function_did(minilab: Path, tmp_path: Path):
    with small_cloud.running(minilab, tmp_path) as cloud:
        before = scraped(cloud)
        assert before["minilab_cloud_events_queued_total"] == 0
        picture = PICTURE.read_bytes()
        upload(cloud, "a.png", picture)
        upload(cloud, "notes.png", b"no picture")
        cloud.wait_until("both handled", lambda: scraped(cloud).get("minilab_cloud_invocations_total{outcome=success}") == 2)
        samples = scraped(cloud)
        for name, expected in {
            "minilab_events_total{result=printed}": 1,
            "minilab_events_total{result=rejected}": 1,
            "minilab_rejected_total{reason=not-an-image}": 1,
            "minilab_prints_total{format=png}": 1,
            "minilab_prints_total{format=webp}": 1,
            "minilab_source_bytes_total": len(picture) + len(b"no picture"),
            "minilab_retries_total": 0,
            "minilab_reconcile_seconds_count": 2,
            "minilab_stage_seconds_count{stage=render}": 2,
            "minilab_cloud_events_queued_total": 2,
            "minilab_cloud_invocation_seconds_count": 2,
            "minilab_cloud_events{state=queued}": 0,
            "minilab_cloud_s3_requests_total{operation=PutObject,status=200}": 2 + 2 + 1,
        }.items():
            assert samples.get(name) == expected, f"{name}: {samples.get(name)} in {sorted(samples)}"
        prints = sum(found["Size"] for found in cloud.client().list_objects_v2(Bucket=cloud.processed)["Contents"] if not found["Key"].startswith("failures/"))
        assert samples["minilab_print_bytes_total"] == prints
        with pytest.raises(Exception, match="SignatureDoesNotMatch"):
            cloud.client(aws_secret_access_key="wrong").list_buckets()
        assert any("status=403" in name for name in scraped(cloud))


def whole(seen, invocation: Span) -> dict[str, Span]:
    """The spans below an invocation, by their names; the trace is one."""
    [reconcile] = seen.children(invocation)
    stages = {span.name: span for span in seen.children(reconcile)}
    for span in [reconcile, *stages.values()]:
        assert span.trace == invocation.trace
        assert invocation.started <= span.started <= span.ended <= invocation.ended
    return {"reconcile": reconcile, **stages}


def test_each_event_is_a_trace_with_its_stages(minilab: Path, tmp_path: Path):
    with collector() as seen:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
            "OTEL_SERVICE_NAME": "photo-lab",
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={SECRET}",
        }
        with small_cloud.running(minilab, tmp_path, variables) as cloud:
            upload(cloud, "a b.png", PICTURE.read_bytes())
            upload(cloud, "notes.png", b"no picture")
            by_key = {}
            for invocation in seen.until(2, "invocation"):
                spans = whole(seen, invocation)
                by_key[spans["reconcile"].attributes["key"]] = (invocation, spans)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            address, token = cloud.console.split("?token=")
            for path in ["api/state", "api/recipe"]:
                asked = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {token}"})
                with opener.open(asked, timeout=30) as answer:
                    assert SECRET not in answer.read().decode()
        invocation, printed = by_key["a b.png"]
        attributes = printed["reconcile"].attributes
        assert (attributes["verdict"], attributes["written"], attributes["rounds"]) == ("printed", 2, 1)
        assert attributes["bucket"] == "clients-source"
        assert set(printed) == {"reconcile", "get", "render", "put", "tidy", "head"}
        puts = {span.attributes["print"] for span in seen.named("put")}
        assert puts == {"pixelated-8x8-a b.png", "small/a b.png.webp"}
        assert len(invocation.attributes["request_id"]) == 36 and not invocation.failed
        rejected = by_key["notes.png"][1]["reconcile"]
        assert (rejected.attributes["verdict"], rejected.attributes["code"]) == ("rejected", "not-an-image")
        assert not rejected.failed
        assert all(path == "/v1/traces" and headers["x-api-key"] == SECRET for path, headers in seen.requests)
        assert {resource["service.name"] for resource in seen.resources} == {"photo-lab"}
        # Everything that was printed and logged, by the cloud and by its function.
        assert SECRET not in cloud.log.read_text()


def function_variables(seen_url: str) -> dict[str, str]:
    """The function's environment, its S3 nowhere."""
    return {
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "MINILAB_SOURCE_BUCKET": "photos-source",
        "MINILAB_PROCESSED_BUCKET": "photos-processed",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{seen_url}/v1/traces",
    }


def function(minilab: Path, seen_url: str, tmp_path: Path, **more: str):
    """minilab's function under Lambda's own emulator."""
    return emulator([minilab, "function"], function_variables(seen_url) | more, tmp_path / "function.log")


def test_the_platforms_trace_header_is_the_parent_and_a_failure_is_marked(minilab: Path, tmp_path: Path):
    sampled = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    with collector() as seen, runtime_api(event("photos-source", "a.png"), sampled) as (api, answers):
        variables = function_variables(seen.url) | {
            "AWS_LAMBDA_RUNTIME_API": api,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
        with (tmp_path / "function.log").open("wb") as output:
            process = subprocess.Popen([minilab, "function"], env=variables, stdout=output, stderr=output)
        try:
            path, answer = answers.get(timeout=60)
        finally:
            process.kill()
            process.wait()
        assert path.endswith("/error") and json.loads(answer)["errorType"] == "Minilab.Retry", answer
        # The spans were sent before the answer.
        [invocation] = seen.named("invocation")
        assert (invocation.trace, invocation.parent) == ("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8")
        reconcile = whole(seen, invocation)["reconcile"]
        assert (reconcile.attributes["verdict"], reconcile.failed, invocation.failed) == ("retried", True, True)
        assert seen.resources[0]["service.name"] == "f"


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_SAMPLER": "always_off"}],
    ids=lambda variables: next(iter(variables)),
)
def test_traces_can_be_switched_off(minilab: Path, tmp_path: Path, variables: dict):
    with collector() as seen, function(minilab, seen.url, tmp_path, **variables) as invoke:
        assert invoke(event("photos-source", "a.png"))["errorType"] == "Minilab.Retry"
        assert seen.requests == []


def test_a_collector_that_is_away_is_said_and_stops_nothing(minilab: Path, tmp_path: Path):
    with function(minilab, "http://127.0.0.1:9", tmp_path) as invoke:
        assert invoke(event("photos-source", "a.png"))["errorType"] == "Minilab.Retry"
        assert invoke(event("photos-source", "b.png"))["errorType"] == "Minilab.Retry"
    lines = [json.loads(line) for line in (tmp_path / "function.log").read_text().splitlines() if line.startswith("{")]
    assert any(line["level"] in ("ERROR", "WARN") and "trac" in json.dumps(line).lower() for line in lines if "key" not in line), lines
    assert all("requestId" in line for line in lines if line["message"] in ("not finished", "metrics"))


def test_a_wrong_variable_is_refused_with_what_it_may_be(minilab: Path):
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = subprocess.run([minilab, "check"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert 'OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"; use http/protobuf' in done.stderr


