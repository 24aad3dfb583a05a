"""Celery, through kombu and py-amqp: priorities, times and retries of a hundred tasks.

The worker is a process of its own, which imports this file."""

import contextlib
import os
import subprocess
import sys
import time

from celery import Celery
from kombu import Exchange, Queue

from checks import AMQP_PORT, HOST, Checks, equal, unique

check = Checks("celery")

TASKS = 100
# Seconds until a worker has started and has done all of them.
PATIENCE = 18

# Its queue: that of the worker, or one that the checks name.
NAME = os.environ.get("MQ_CELERY_QUEUE") or unique("celery")

app = Celery(NAME, broker=f"amqp://guest:guest@{HOST}:{AMQP_PORT}//", backend="rpc://")
app.conf.update(
    task_queues=[Queue(NAME, Exchange(NAME), routing_key=NAME, queue_arguments={"x-max-priority": 9})],
    task_default_queue=NAME,
    task_default_exchange=NAME,
    task_default_routing_key=NAME,
    # Tasks that wait for their time are with the worker: it takes all of them at once, unless
    # their order is to be seen.
    worker_prefetch_multiplier=int(os.environ.get("MQ_CELERY_PREFETCH", "0")),
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="order")
def order(priority):
    return priority, time.time()


@app.task(name="at")
def at(due):
    return time.time() - due


@app.task(name="again", bind=True, max_retries=3)
def again(self, number):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return number, self.request.retries


@contextlib.contextmanager
def worker(prefetch=0):
    """A process that does tasks, one after the other, and takes so many at a time."""
    options = ["--pool", "solo", "--loglevel", "WARNING", "--without-mingle", "--without-gossip"]
    # Workers of one name lock each other out.
    options += ["--hostname", f"{unique('worker')}@localhost"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "amqp_celery", "worker", *options],
        env=dict(os.environ, MQ_CELERY_QUEUE=NAME, MQ_CELERY_PREFETCH=str(prefetch)),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def declare():
    """What is published before a worker has come finds its queue."""
    with app.connection_for_write() as connection:
        for queue in app.conf.task_queues:
            queue(connection).declare()


@check("a hundred tasks, the higher priority first")
def _():
    declare()
    results = [order.apply_async((number % 10,), priority=number % 10) for number in range(TASKS)]
    with worker(prefetch=1):
        done = [result.get(timeout=PATIENCE) for result in results]
    in_time = [priority for priority, _ in sorted(done, key=lambda done: done[1])]
    equal(in_time, sorted(in_time, reverse=True))


@check("a hundred tasks at their times, and not before")
def _():
    declare()
    with worker():
        results = []
        for number in range(TASKS):
            delay = 1 + number % 5 / 5
            results.append(at.apply_async((time.time() + delay,), countdown=delay))
        late = [result.get(timeout=PATIENCE) for result in results]
    equal([seconds for seconds in late if seconds < -0.05], [])


@check("a hundred tasks that are tried three times")
def _():
    declare()
    with worker():
        results = [again.delay(number) for number in range(TASKS)]
        done = [tuple(result.get(timeout=PATIENCE)) for result in results]
    equal(done, [(number, 2) for number in range(TASKS)])


if __name__ == "__main__":
    check.run()
