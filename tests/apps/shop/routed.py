"""The shop with queues that are more than a name: exchanges of all types, priorities, quorum queues.

QUEUES in the environment names the ones that the application has, separated by commas; a worker reads all of them, or those
of its -Q. Celery 5.3 cannot read quorum queues. What a dictionary can say goes into CONF, as ever.
"""

import os

from kombu import Exchange, Queue

from shop.tasks import *  # noqa: F403: the same tasks
from shop.tasks import app

QUORUM = {"x-queue-type": "quorum"}
TASKS = Exchange("tasks", type="topic")

QUEUES = {
    queue.name: queue
    for queue in [
        Queue("celery", Exchange("celery"), routing_key="celery"),
        Queue("orders", TASKS, routing_key="order.#"),
        Queue("qtopic", TASKS, routing_key="order.#", queue_arguments=QUORUM),
        Queue("qdirect", Exchange("qdirect"), routing_key="q", queue_arguments=QUORUM),
        Queue("urgent", Exchange("urgent"), routing_key="urgent", max_priority=10),
        Queue("news", Exchange("news", type="fanout")),
        Queue("odd key", Exchange("odd"), routing_key="not the name"),
    ]
}

app.conf.task_queues = [QUEUES[name] for name in os.environ["QUEUES"].split(",")]
