"""amqp-tools, the command-line clients of librabbitmq (C): what they can say, which
is neither confirms nor transactions."""

import subprocess

from checks import AMQP_PORT, HOST, Checks, equal, unique

check = Checks("amqp-tools")


def tool(name, *arguments, stdin=b"", password="guest"):
    """The exit code of a tool and what it printed."""
    url = f"amqp://guest:{password}@{HOST}:{AMQP_PORT}"
    command = [f"amqp-{name}", "-u", url, *arguments]
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=15)
    return done.returncode, done.stdout


def ok(name, *arguments, **more):
    code, printed = tool(name, *arguments, **more)
    equal((name, code), (name, 0))
    return printed


def queue():
    return ok("declare-queue", "-d", "-q", unique("tools")).decode().strip()


@check("declare, publish, get, delete")
def _():
    name = queue()
    ok("publish", "-r", name, "-b", "hello", "-C", "text/plain", "-p")
    equal(ok("get", "-q", name), b"hello")
    equal(tool("get", "-q", name)[0], 2)  # it is empty
    ok("publish", "-r", name, "-b", "left")
    equal(ok("delete-queue", "-q", name), b"1\n")


@check("consume, acknowledged one by one")
def _():
    name = queue()
    for number in range(3):
        ok("publish", "-r", name, "-b", f"{number};")
    equal(ok("consume", "-q", name, "-c", "2", "-p", "1", "cat"), b"0;1;")
    equal(ok("get", "-q", name), b"2;")
    ok("delete-queue", "-q", name)


@check("consume from an exchange, by a queue that the server names")
def _():
    url = f"amqp://guest:guest@{HOST}:{AMQP_PORT}"
    command = ["amqp-consume", "-u", url, "-e", "amq.topic", "-r", "tools.#", "-c", "1", "cat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as consumer:
        try:
            for _ in range(50):  # until it is bound
                ok("publish", "-e", "amq.topic", "-r", "tools.x", "-b", "routed")
                try:
                    equal(consumer.communicate(timeout=0.2)[0], b"routed")
                    break
                except subprocess.TimeoutExpired:
                    pass
            equal(consumer.poll(), 0)
        finally:
            consumer.kill()


@check("a body of many frames, from the standard input")
def _():
    name = queue()
    body = b"x" * 1_000_000
    ok("publish", "-r", name, stdin=body)
    equal(len(ok("get", "-q", name)), len(body))
    ok("delete-queue", "-q", name)


@check("properties and headers come through")
def _():
    name = queue()
    ok("publish", "-r", name, "-b", "x", "-C", "text/plain", "-E", "gzip", "-t", "reply", "-H", "note: value")
    equal(ok("get", "-q", name), b"x")
    ok("delete-queue", "-q", name)


@check("errors of the channel and of the login are told")
def _():
    assert tool("get", "-q", unique("none"))[0] not in (0, 2)
    assert tool("get", "-q", unique("none"), password="wrong")[0] not in (0, 2)


check.run()
