"""Celery, through kombu and py-amqp: priorities, times and retries of a hundred tasks."""

import logging
import threading
import time

from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Exchange, Queue

from checks import AMQP_PORT, HOST, Checks, equal, unique

check = Checks("celery")
logging.disable(logging.CRITICAL)

TASKS = 100


class Work:
    """An application with a queue of its own, and what its tasks have done."""

    def __init__(self):
        name = unique("celery")
        self.app = Celery(name, broker=f"amqp://guest:guest@{HOST}:{AMQP_PORT}//", backend="rpc://")
        exchange = Exchange(name, type="direct")
        self.app.conf.update(
            task_queues=[Queue(name, exchange, routing_key=name, queue_arguments={"x-max-priority": 9})],
            task_default_queue=name,
            task_default_exchange=name,
            task_default_routing_key=name,
            worker_prefetch_multiplier=1,
            task_acks_late=True,
            broker_connection_retry_on_startup=False,
            worker_hijack_root_logger=False,
        )
        self.done = []
        self.lock = threading.Lock()

    def note(self, what):
        with self.lock:
            self.done.append(what)

    def declare(self):
        with self.app.connection_for_write() as connection:
            for queue in self.app.conf.task_queues:
                queue(connection).declare()

    def worker(self):
        return start_worker(self.app, pool="solo", perform_ping_check=False, shutdown_timeout=15)


@check("a hundred tasks, the higher priority first")
def _():
    work = Work()

    @work.app.task(ignore_result=True)
    def step(priority):
        work.note(priority)

    work.declare()
    for number in range(TASKS):
        step.apply_async((number % 10,), priority=number % 10)
    with work.worker():
        deadline = time.monotonic() + 15
        while len(work.done) < TASKS and time.monotonic() < deadline:
            time.sleep(0.02)
    equal(len(work.done), TASKS)
    # What the worker had taken before it saw the others may be of any priority.
    late = work.done[4:]
    equal(late, sorted(late, reverse=True))


@check("a hundred tasks at their times, and not before")
def _():
    work = Work()

    @work.app.task
    def step(due):
        late = time.time() - due
        work.note(late)
        return late

    work.declare()
    with work.worker():
        results = []
        for number in range(TASKS):
            delay = 0.5 + number % 5 / 5
            results.append(step.apply_async((time.time() + delay,), countdown=delay))
        for result in results:
            result.get(timeout=15)
    equal(len(work.done), TASKS)
    equal([late for late in work.done if late < -0.05], [])


@check("a hundred tasks that are tried three times")
def _():
    work = Work()

    @work.app.task(bind=True, max_retries=3)
    def step(self, number):
        work.note(number)
        if self.request.retries < 2:
            raise self.retry(countdown=0.05)
        return number

    work.declare()
    with work.worker():
        results = [step.delay(number) for number in range(TASKS)]
        equal([result.get(timeout=15) for result in results], list(range(TASKS)))
    equal(sorted(work.done), sorted(list(range(TASKS)) * 3))


check.run()
