"""Events from NATS JetStream, in Debian's nats-server."""

import json
import time
from pathlib import Path

from events import aws as aws_event
from events import minio
from servers import Aws, Workers, consumer_info, free_port, nats_server, picture, publish, road, until

SUBJECT = "minilab.events"


def via(url: str) -> tuple:
    return ("--via", "nats", "--nats-url", url, "--visibility-timeout", "3")


def messages(*events: dict) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


def wait_until_acknowledged(url: str, log: Path) -> None:
    def done() -> bool:
        info = consumer_info(url)
        return info.num_pending == 0 and info.num_ack_pending == 0

    until("every message acknowledged", done, log=log)


def test_a_worker_waits_for_the_server_and_prints_what_is_published(aws: Aws, workers: Workers, tmp_path: Path):
    port = free_port()
    worker = workers.start(aws.url, *via(f"nats://127.0.0.1:{port}"), wait=False)
    until("a try", lambda: "NATS does not answer" in worker.log.read_text(), log=worker.log)
    with nats_server(tmp_path, port) as url:
        workers.ready(worker)
        assert worker.page("/readyz")[0] == 200
        aws.put("in/a b+c.png", picture(1))
        aws.put("bad.png", b"plain text")
        publish(url, SUBJECT, *messages(minio("in/a b+c.png"), minio("bad.png")))
        aws.wait_for_prints(["in/a b+c.png"], worker.log)
        until("a report", lambda: any(key.startswith("failures/") for key in aws.keys()), log=worker.log)
        wait_until_acknowledged(url, worker.log)
        assert worker.stop() == 0


def test_of_two_workers_on_one_consumer_one_is_killed_and_nothing_is_lost(aws: Aws, workers: Workers, tmp_path: Path):
    with nats_server(tmp_path, free_port()) as url:
        first, second = (
            workers.start(aws.url, *via(url), "--concurrency", 4, "--data-dir", tmp_path / name)
            for name in ("first", "second")
        )
        keys = [f"{number}.png" for number in range(16)]
        for number, key in enumerate(keys):
            aws.put(key, picture(number))
        # No source can be read until both have messages in hand, and for longer than one is kept without a sign.
        aws.freeze()
        publish(url, SUBJECT, *messages(*(aws_event(key) for key in keys)))
        for worker in (first, second):
            until("work", lambda: worker.metric("minilab_in_flight") == 4, log=worker.log)
        time.sleep(4)
        assert consumer_info(url).num_redelivered == 0, "both still work on theirs"
        first.kill()
        aws.thaw()
        aws.wait_for_prints(keys, second.log)
        wait_until_acknowledged(url, second.log)


def test_a_message_that_is_not_understood_is_kept_as_a_dead_letter(aws: Aws, workers: Workers, tmp_path: Path):
    with nats_server(tmp_path, free_port()) as url:
        worker = workers.start(aws.url, *via(url))
        publish(url, SUBJECT, b"no event")
        until("a dead letter", lambda: worker.metric("minilab_dead_letters") == 1, log=worker.log)
        wait_until_acknowledged(url, worker.log)
        listed = workers.run(aws.url, "--dead-letters")
        assert json.loads(listed.stdout)["event"] == "no event"


def test_a_message_waits_for_a_store_that_is_away(aws: Aws, workers: Workers, tmp_path: Path):
    port = free_port()
    aws.put("patience.png", picture(2))
    with nats_server(tmp_path, free_port()) as url:
        worker = workers.start(f"http://127.0.0.1:{port}", *via(url))
        publish(url, SUBJECT, *messages(minio("patience.png")))
        until("a retry", lambda: worker.metric("minilab_redelivered_total") > 0, log=worker.log)
        with road(port, aws.port):
            aws.wait_for_prints(["patience.png"], worker.log)
            wait_until_acknowledged(url, worker.log)


def test_an_address_that_is_none_is_refused_at_start(aws: Aws, workers: Workers, tmp_path: Path):
    ended = workers.run(aws.url, "--via", "nats", "--nats-url", "nats://[")
    assert ended.returncode == 2
    assert "--nats-url is no NATS address" in ended.stderr, ended.stderr
