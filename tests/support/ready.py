"""Waits until the servers of tests/run do what the tests need of them; says what is wrong and fails when they do not."""

import base64
import os
import sys
import time
import urllib.request

import amqp
import redis
from kombu import Connection

DEADLINE = time.monotonic() + 120


def redis_answers():
    client = redis.Redis.from_url(os.environ["UMBEL_TEST_REDIS"] + "/1023", socket_timeout=5)
    assert client.ping()


def rabbitmq_answers():
    with Connection(os.environ["UMBEL_TEST_AMQP"], connect_timeout=5) as connection:
        channel = connection.default_channel
        queue = channel.queue_declare(exclusive=True).queue
        channel.basic_publish(amqp.Message("?"), routing_key=queue)
        while channel.basic_get(queue, no_ack=True) is None:
            time.sleep(0.02)


def management_answers():
    port = os.environ["UMBEL_TEST_MANAGEMENT_PORT"]
    login = base64.b64encode(b"guest:guest").decode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/overview", headers={"Authorization": f"Basic {login}"})
    # No proxy of the environment between us and our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as answer:
        assert answer.status == 200


for check in (redis_answers, rabbitmq_answers, management_answers):
    while True:
        try:
            check()
            break
        except Exception as problem:
            if time.monotonic() > DEADLINE:
                sys.exit(f"{check.__name__}: not within two minutes: {problem!r}")
            time.sleep(0.1)
