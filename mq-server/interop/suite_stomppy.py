"""stomp.py's own tests, over TLS and without: those of 4.1.22, the last version whose package has them.

They are run with the client of that version. What is left out is about other brokers (their
features, their ports) or about no broker at all.
"""

import os
import sys
import unittest

from tls_threads import take_turns

sys.path.insert(0, os.environ["MQ_STOMPPY"])
os.environ.update(
    STD_HOST="localhost",
    STD_PORT=os.environ["MQ_STOMP_PORT"],
    STD_SSL_PORT=os.environ["MQ_ANY_PORT"],
    STD_USER="guest",
    STD_PASSWORD="guest",
    RABBITMQ_HOST="localhost",
    RABBITMQ_PORT=os.environ["MQ_STOMP_PORT"],
    SNI_HOST="localhost",
    SNI_SSL_PORT=os.environ["MQ_ANY_PORT"],
)

MODULES = [
    "ssl_test",
    "ssl_sni_test",
    "cli_ssl_test",
    "basic_test",
    "nonascii_test",
    "rabbitmq_test",
    "s10_test",
    "s11_test",
    "s12_test",
]

CHOSEN = os.environ.get("MQ_CHECK", "")
LEFT_OUT = [text for text in os.environ.get("MQ_EXCEPT", "").split("\n") if text]
# It needs an address of the Internet that does not answer.
LEFT_OUT.append("basic_test.TestBasicSend.test_timeout")


def title(test):
    return "stomp.py suite: " + test.id().removeprefix("stomp.test.")


class Lines(unittest.TestResult):
    """Prints one line for each test."""

    def addSuccess(self, test):
        print(f"ok   {title(test)}", file=OUT, flush=True)

    def fails(self, test, error):
        super().addFailure(test, error)
        print(f"FAIL {title(test)}: {error[0].__name__}: {error[1]}".replace("\n", " | "), file=OUT, flush=True)

    addFailure = addError = fails


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        elif CHOSEN in title(test) and not any(text in title(test) for text in LEFT_OUT):
            yield test


take_turns()
# The tests print as well.
OUT, sys.stdout = sys.stdout, sys.stderr
loaded = unittest.defaultTestLoader.loadTestsFromNames([f"stomp.test.{module}" for module in MODULES])
result = Lines()
unittest.TestSuite(each(loaded)).run(result)
OUT.flush()
# Threads of the client may be left, which nobody waits for.
os._exit(0 if result.wasSuccessful() else 1)
