"""Events over HTTP, as MinIO, RustFS and Ceph send them."""

import base64
import json
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from events import aws as aws_event
from events import ceph, cloud_event, minio
from servers import PROCESSED, SOURCE, TOKEN, Aws, Workers, free_port, picture, prints_of, road, status, until

WEBHOOK = ("--via", "webhook")


def test_each_store_s_keys_lead_to_their_prints_and_a_removal_takes_them_away(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK)
    sources = {"in/a b+c%20d.png": minio, "100% a+b.png": ceph, "ü/plain.png": aws_event}
    for shade, (key, event) in enumerate(sources.items()):
        aws.put(key, picture(shade))
        assert worker.post(event(key)) == 202
    aws.wait_for_prints(sources, worker.log)

    for key in sources:
        aws.s3.delete_object(Bucket=SOURCE, Key=key)
    assert worker.post(minio("in/a b+c%20d.png", "s3:ObjectRemoved:Delete")) == 202
    assert worker.post(ceph("100% a+b.png", "ObjectRemoved:Delete")) == 202
    assert worker.post(aws_event("ü/plain.png")) == 202, "an event is a hint: the source is gone"
    until("no prints", lambda: not aws.keys(), log=worker.log)
    worker.wait_until_idle()
    assert worker.metric('minilab_events_total{result="absent"}') == 3


def test_cloud_events_are_read_in_both_modes(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK)
    for key in ("structured.png", "batch.png", "binary.png"):
        aws.put(key, picture(9))
    structured = cloud_event(aws_event("structured.png")["Records"][0])
    batch = [cloud_event(aws_event("batch.png"))]
    attributes = {f"ce-{name}": value for name, value in structured.items() if name not in ("data", "datacontenttype")}
    assert worker.post(structured, **{"Content-Type": "application/cloudevents+json"}) == 202
    assert worker.post(batch, **{"Content-Type": "application/cloudevents-batch+json"}) == 202
    assert worker.post(aws_event("binary.png")["Records"][0], **attributes) == 202
    aws.wait_for_prints(("structured.png", "batch.png", "binary.png"), worker.log)


def test_probes_are_answered_and_events_need_the_token(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK)
    url = worker.ready["from"]
    for method in ("GET", "HEAD"):
        for path in ("/", "/events"):
            assert status(urllib.request.Request(url + path, method=method)) == 200
    assert status(urllib.request.Request(url, method="DELETE")) == 405

    event = minio("a.png")
    assert worker.post(event, token=None) == 401
    assert worker.post(event, token=TOKEN[:-1]) == 401
    assert worker.post(event, token=None, Authorization=TOKEN) == 202, "AIStor sends it as it is"
    basic = base64.b64encode(f"minilab:{TOKEN}".encode()).decode()
    assert worker.post(event, token=None, Authorization=f"Basic {basic}") == 202, "from a URL"
    assert worker.post(b"no JSON") == 400
    assert worker.post(b" " * (1 << 20) + b"{}") == 413
    assert worker.post(event) == 202
    assert worker.metric('minilab_webhook_refused_total{reason="token"}') == 2
    worker.wait_until_idle()


def test_what_cannot_work_is_refused_at_start(aws: Aws, workers: Workers):
    busy = workers.start(aws.url, *WEBHOOK)
    address = busy.ready["from"].removeprefix("http://")
    (workers.folder / "elsewhere.toml").write_text('[source]\nbucket = "no-such-bucket"\n[[output]]\nkey = "p/{key}"\n')
    for options, variables, words in (
        (("--listen", "0.0.0.0:0"), {"MINILAB_WORKER_TOKEN": ""}, "MINILAB_WORKER_TOKEN"),
        (("--listen", "0.0.0.0:0"), {"MINILAB_WORKER_TOKEN": "easily guessed"}, "20 characters"),
        (("--listen", "127.0.0.1:0"), {}, "in use by another worker"),
        (("--listen", address, "--data-dir", "other"), {}, address),
        (("--config", "elsewhere.toml", "--data-dir", "other"), {}, "no-such-bucket"),
    ):
        ended = workers.run(aws.url, *WEBHOOK, *options, **variables)
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
        assert words in ended.stderr.splitlines()[-1], ended.stderr


def test_what_was_acknowledged_outlives_a_kill(aws: Aws, workers: Workers):
    keys = [f"{number}.png" for number in range(12)]
    for number, key in enumerate(keys):
        aws.put(key, picture(number))
    worker = workers.start(aws.url, *WEBHOOK)
    # Nothing can be read: what is acknowledged from here on is not printed.
    aws.freeze()
    for key in keys:
        assert worker.post(minio(key)) == 202
    worker.kill()
    aws.thaw()
    assert not aws.keys()

    worker = workers.start(aws.url, *WEBHOOK)
    aws.wait_for_prints(keys, worker.log)
    worker.wait_until_idle()


def test_a_picture_that_cannot_be_printed_ends_as_a_report(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK)
    aws.put("not a picture.png", b"plain text")
    assert worker.post(minio("not a picture.png")) == 202
    until("a report", lambda: aws.keys(), log=worker.log)
    worker.wait_until_idle()
    (at,) = aws.keys()
    assert at.startswith("failures/")
    report = json.load(aws.s3.get_object(Bucket=PROCESSED, Key=at)["Body"])
    assert (report["key"], report["code"]) == ("not a picture.png", "not-an-image")
    assert worker.metric('minilab_rejected_total{reason="not-an-image"}') == 1
    assert worker.metric("minilab_dead_letters") == 0


def test_an_event_that_is_not_understood_becomes_a_dead_letter_and_can_be_sent_again(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK)
    aws.put("good.png", picture(1))
    mixed = {"Records": [aws_event("good.png")["Records"][0], {"hello": "world"}]}
    assert worker.post(mixed) == 202
    aws.wait_for_prints(["good.png"], worker.log)
    until("a dead letter", lambda: worker.metric("minilab_dead_letters") == 1, log=worker.log)
    worker.wait_until_idle()

    listed = workers.run(aws.url, "--dead-letters")
    letter = json.loads(listed.stdout)
    assert listed.returncode == 0
    assert letter["event"] == mixed and "found an object with hello" in letter["reason"], letter
    assert worker.stop() == 0

    worker = workers.start(aws.url, *WEBHOOK, "--redrive")
    until("a dead letter again", lambda: worker.metric("minilab_dead_total") == 1, log=worker.log)


def test_events_wait_for_a_store_that_is_away(aws: Aws, workers: Workers):
    port = free_port()
    aws.put("patience.png", picture(3))
    worker = workers.start(f"http://127.0.0.1:{port}", *WEBHOOK)
    assert worker.post(minio("patience.png")) == 202
    until("a retry", lambda: worker.metric("minilab_redelivered_total") > 0, log=worker.log)
    assert worker.metric("minilab_inbox_depth") == 1
    with road(port, aws.port):
        aws.wait_for_prints(["patience.png"], worker.log)
        worker.wait_until_idle()
    assert worker.metric("minilab_dead_letters") == 0


def test_sigterm_finishes_what_is_under_way_and_a_second_signal_does_not_wait(aws: Aws, workers: Workers):
    aws.put("a.png", picture(4))
    worker = workers.start(aws.url, *WEBHOOK)
    aws.freeze()
    assert worker.post(minio("a.png")) == 202
    until("work", lambda: worker.metric("minilab_in_flight") == 1, log=worker.log)
    assert worker.page("/readyz")[0] == 200
    worker.process.send_signal(signal.SIGTERM)
    until("a drain", lambda: worker.page("/readyz")[0] == 503, log=worker.log)
    assert worker.page("/healthz")[0] == 200
    with pytest.raises(OSError):
        host, port = worker.ready["from"].removeprefix("http://").split(":")
        socket.create_connection((host, int(port)), timeout=2).close()
    aws.thaw()
    assert worker.process.wait(30) == 0
    assert aws.keys() == prints_of("a.png")

    worker = workers.start(aws.url, *WEBHOOK)
    assert worker.metric("minilab_inbox_depth") == 0, "the first was finished"
    aws.freeze()
    assert worker.post(minio("a.png")) == 202
    until("work", lambda: worker.metric("minilab_in_flight") == 1, log=worker.log)
    begun = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    until("a drain", lambda: worker.page("/readyz")[0] == 503, log=worker.log)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(10) == 1
    assert time.monotonic() - begun < 10
    aws.thaw()

    worker = workers.start(aws.url, *WEBHOOK)
    worker.wait_until_idle()
    assert worker.metric('minilab_events_total{result="printed"}') == 1, "it was kept"


def test_a_drain_that_takes_too_long_leaves_the_event_for_the_next_start(aws: Aws, workers: Workers):
    aws.put("a.png", picture(5))
    worker = workers.start(aws.url, *WEBHOOK, "--drain-timeout", 1)
    aws.freeze()
    assert worker.post(minio("a.png")) == 202
    until("work", lambda: worker.metric("minilab_in_flight") == 1, log=worker.log)
    assert worker.stop() == 0
    aws.thaw()
    worker = workers.start(aws.url, *WEBHOOK)
    aws.wait_for_prints(["a.png"], worker.log)


def test_metrics_count_what_was_done(aws: Aws, workers: Workers):
    worker = workers.start(aws.url, *WEBHOOK, "--memory", 256)
    bodies = [picture(shade) for shade in range(5)]
    for number, body in enumerate(bodies):
        aws.put(f"{number}.png", body)
    assert worker.post(aws_event(*(f"{number}.png" for number in range(5)))) == 202
    assert worker.post(minio("elsewhere.png", bucket="another")) == 202
    aws.wait_for_prints([f"{number}.png" for number in range(5)], worker.log)
    worker.wait_until_idle()
    prints = aws.s3.list_objects_v2(Bucket=PROCESSED)["Contents"]
    for name, value in (
        ('minilab_events_total{result="printed"}', 5),
        ('minilab_events_total{result="ignored"}', 1),
        ('minilab_prints_total{format="webp"}', 5),
        ('minilab_prints_total{format="png"}', 5),
        ("minilab_source_bytes_total", sum(map(len, bodies))),
        ("minilab_print_bytes_total", sum(found["Size"] for found in prints)),
        ("minilab_reconcile_seconds_count", 5),
        ('minilab_stage_seconds_count{stage="render"}', 5),
        ("minilab_redelivered_total", 0),
        ("minilab_in_flight", 0),
        ("minilab_memory_reserved_bytes", 0),
    ):
        assert worker.metric(name) == value, name
    assert worker.metric("minilab_reconcile_seconds_sum") > 0
    assert worker.page("/metrics")[1].endswith("# EOF\n")


def test_what_people_see_is_one_line(aws: Aws, workers: Workers):
    command = [part for part in workers.command(*WEBHOOK, "--listen", "127.0.0.1:0") if part != "--json"]
    with subprocess.Popen(
        command, cwd=workers.folder, env=workers.environment(aws.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        workers.started.append(process)
        line = process.stdout.readline().decode()
        process.send_signal(signal.SIGTERM)
        assert line.startswith("minilab takes events from webhook: http://127.0.0.1:")
