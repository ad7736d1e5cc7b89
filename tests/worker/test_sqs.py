"""Events from SQS: moto's S3 sends them itself."""

import json
import time

from events import aws as aws_event
from servers import SOURCE, Aws, Workers, picture, until


def queue(aws: Aws, name: str = "events", **attributes: str) -> str:
    return aws.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def arn(aws: Aws, url: str) -> str:
    return aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def left(aws: Aws, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def via(url: str) -> tuple:
    return ("--via", "sqs", "--queue-url", url, "--visibility-timeout", "3")


def test_an_upload_is_printed_and_its_message_deleted(aws: Aws, workers: Workers):
    url = queue(aws)
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    aws.s3.put_bucket_notification_configuration(
        Bucket=SOURCE, NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn(aws, url), "Events": events}]}
    )
    worker = workers.start(aws.url, *via(url))
    aws.put("in/a b+c.png", picture(1))
    aws.wait_for_prints(["in/a b+c.png"], worker.log)
    aws.put("bad.png", b"plain text")
    until("a report", lambda: any(key.startswith("failures/") for key in aws.keys()), log=worker.log)
    until("an empty queue", lambda: left(aws, url) == 0, log=worker.log)
    assert worker.page("/readyz")[0] == 200
    assert worker.stop() == 0


def test_of_two_workers_on_one_queue_one_is_killed_and_nothing_is_lost(aws: Aws, queues: Aws, workers: Workers):
    url = queue(queues)
    options = (*via(url), "--sqs-endpoint-url", queues.url, "--concurrency", 4)
    first, second = (workers.start(aws.url, *options) for _ in range(2))
    keys = [f"{number}.png" for number in range(16)]
    for number, key in enumerate(keys):
        aws.put(key, picture(number))
    # No source can be read until both have messages in hand.
    aws.freeze()
    for key in keys:
        queues.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(aws_event(key)))
    for worker in (first, second):
        until("work", lambda: worker.metric("minilab_in_flight") > 0, log=worker.log)
    first.kill()
    aws.thaw()
    aws.wait_for_prints(keys, second.log)
    until("an empty queue", lambda: left(queues, url) == 0, log=second.log)


def test_a_message_is_kept_from_others_for_as_long_as_it_is_worked_on(aws: Aws, queues: Aws, workers: Workers):
    url = queue(queues)
    options = (*via(url), "--sqs-endpoint-url", queues.url)
    both = [workers.start(aws.url, *options) for _ in range(2)]

    def total(name: str) -> float:
        return sum(worker.metric(name) for worker in both)

    aws.put("slow.png", picture(7))
    aws.freeze()
    queues.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(aws_event("slow.png")))
    until("work", lambda: total("minilab_in_flight") == 1)
    # Twice the visibility timeout.
    time.sleep(6)
    assert total("minilab_in_flight") == 1
    aws.thaw()
    aws.wait_for_prints(["slow.png"], both[0].log)
    until("an empty queue", lambda: left(queues, url) == 0)
    assert total('minilab_events_total{result="printed"}') == 1


def test_a_message_that_is_not_understood_goes_to_the_queue_s_own_dead_letters(aws: Aws, workers: Workers):
    dead = queue(aws, "dead")
    policy = json.dumps({"deadLetterTargetArn": arn(aws, dead), "maxReceiveCount": "2"})
    url = queue(aws, RedrivePolicy=policy)
    worker = workers.start(aws.url, *via(url))
    aws.sqs.send_message(QueueUrl=url, MessageBody="no event")
    until("a dead letter", lambda: left(aws, dead) == 1, log=worker.log)
    assert worker.metric('minilab_events_total{result="unreadable"}') == 2
    assert worker.metric("minilab_redelivered_total") == 2


def test_a_queue_that_does_not_exist_is_refused_at_start(aws: Aws, workers: Workers):
    ended = workers.run(aws.url, *via(f"{aws.url}/123456789012/no-such-queue"))
    assert ended.returncode == 2
    assert "no-such-queue does not exist" in ended.stderr, ended.stderr
