"""Named checks: each prints one line, and none can hang the run."""

import os
import signal
import sys
import traceback

HOST = os.environ.get("MQ_HOST", "127.0.0.1")
AMQP_PORT = int(os.environ.get("MQ_AMQP_PORT", "5672"))
MQTT_PORT = int(os.environ.get("MQ_MQTT_PORT", "1883"))
STOMP_PORT = int(os.environ.get("MQ_STOMP_PORT", "61613"))

# Checks whose "CLIENT: NAME" contains one of these are left out.
LEFT_OUT = [text for text in os.environ.get("MQ_EXCEPT", "").split("\n") if text]
CHOSEN = os.environ.get("MQ_CHECK", "")

# Long enough for a loaded machine; a check that works takes far less.
SECONDS = 20


class Hung(BaseException):
    """Not an Exception: no client library may catch it."""


def _ring(_signal, _frame):
    raise Hung(f"still not done after {SECONDS} s")


class Checks:
    """The checks of one client, in the order of their definition."""

    def __init__(self, client):
        self.client = client
        self.checks = []

    def __call__(self, name):
        def add(function):
            self.checks.append((name, function))
            return function

        return add

    def run(self):
        signal.signal(signal.SIGALRM, _ring)
        failed = 0
        for name, function in self.checks:
            title = f"{self.client}: {name}"
            if CHOSEN not in title or any(text in title for text in LEFT_OUT):
                continue
            try:
                signal.alarm(SECONDS)
                function()
                signal.alarm(0)
                print(f"ok   {title}", flush=True)
            except (Exception, Hung) as error:
                signal.alarm(0)
                failed += 1
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                print(f"FAIL {title}: {reason}", flush=True)
                traceback.print_exc(file=sys.stderr)
        # The libraries' threads may still be there after a failure.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if failed else 0)


def equal(got, wanted):
    """The one assertion most checks need, with both sides in the message."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def unique(prefix):
    """A name that no other check, and no earlier run, has used."""
    unique.count += 1
    return f"{prefix}-{os.getpid()}-{unique.count}"


unique.count = 0
