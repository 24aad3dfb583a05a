"""stomp.py, the Python client for STOMP 1.0, 1.1 and 1.2."""

import contextlib
import logging
import queue
import time

import stomp

from checks import HOST, STOMP_PORT, Checks, equal, unique

check = Checks("stomp.py")
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)

CONNECTIONS = {
    "1.0": stomp.StompConnection10,
    "1.1": stomp.StompConnection11,
    "1.2": stomp.StompConnection12,
}
EVERY = ("1.0", "1.1", "1.2")
NEWER = ("1.1", "1.2")


class Client(stomp.ConnectionListener):
    """A connection whose callbacks are turned into queues to wait on."""

    def __init__(self, version, heartbeats=(0, 0), binary=False, **more):
        self.version = version
        self.messages, self.receipts = queue.Queue(), queue.Queue()
        self.errors, self.gone = queue.Queue(), queue.Queue()
        self.greeting = queue.Queue()
        if version != "1.0":
            more.update(heartbeats=heartbeats, vhost="/")
        if binary:
            more["auto_decode"] = False
        self.stomp = CONNECTIONS[version]([(HOST, STOMP_PORT)], reconnect_attempts_max=1, **more)
        self.stomp.set_listener("checks", self)
        self.ids = 0

    def connect(self, user="guest", password="guest"):
        self.stomp.connect(user, password, wait=True)
        self.greeting = self.greeting.get(timeout=10)
        equal(self.greeting.headers.get("version", "1.0"), self.version)
        return self

    # What stomp.py calls.
    def on_connected(self, frame):
        self.greeting.put(frame)

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame):
        self.errors.put(frame)

    def on_disconnected(self):
        self.gone.put(True)

    def subscribe(self, destination, ack="auto", **headers):
        self.ids += 1
        with self.receipt() as receipt:
            self.stomp.subscribe(
                destination, id=str(self.ids), ack=ack, headers={**headers, "receipt": receipt}
            )
        return str(self.ids)

    def unsubscribe(self, destination, subscription):
        with self.receipt() as receipt:
            # 1.0 may name the destination instead of an id.
            self.stomp.unsubscribe(id=subscription, destination=destination, receipt=receipt)

    @contextlib.contextmanager
    def receipt(self):
        """Waits for the receipt of what is sent within."""
        receipt = unique("receipt")
        yield receipt
        equal(self.receipts.get(timeout=10), receipt)

    def send(self, destination, body, **headers):
        with self.receipt() as receipt:
            self.stomp.send(destination, body, headers={**headers, "receipt": receipt})

    def next(self, seconds=10):
        return self.messages.get(timeout=seconds)

    def bodies(self, count, quiet=0.3):
        got = [self.next().body for _ in range(count)]
        self.expect_nothing(quiet)
        return got

    def expect_nothing(self, seconds=0.3):
        with contextlib.suppress(queue.Empty):
            frame = self.messages.get(timeout=seconds)
            raise AssertionError(f"came uninvited: {frame.headers} {frame.body!r}")

    def ack(self, frame, **headers):
        self._answer(self.stomp.ack, frame, headers)

    def nack(self, frame, **headers):
        self._answer(self.stomp.nack, frame, headers)

    def _answer(self, answer, frame, headers):
        """What an ACK names has changed in each version."""
        with self.receipt() as receipt:
            headers["receipt"] = receipt
            if self.version == "1.0":
                answer(frame.headers["message-id"], **headers)
            elif self.version == "1.1":
                answer(frame.headers["message-id"], frame.headers["subscription"], **headers)
            else:
                answer(frame.headers["ack"], **headers)

    def close(self):
        # Waits for the receipt of the DISCONNECT.
        self.stomp.disconnect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connected(version, **more):
    return Client(version, **more).connect()


def for_versions(versions, name):
    """The same check under every version, each with its own line."""

    def add(function):
        for version in versions:
            check(f"{version}: {name}")(lambda version=version: function(version))

    return add


@for_versions(EVERY, "send and subscribe, acknowledged automatically")
def _(version):
    destination = "/queue/" + unique("auto")
    with connected(version) as client:
        subscription = client.subscribe(destination)
        client.send(destination, "hello", **{"content-type": "text/plain", "x-own": "kept"})
        frame = client.next()
        equal((frame.body, frame.headers["destination"]), ("hello", destination))
        equal(frame.headers["content-type"], "text/plain")
        equal(frame.headers["x-own"], "kept")
        equal(frame.headers["subscription"], subscription)
        assert frame.headers["message-id"]
    with connected(version) as later:
        later.subscribe(destination)
        later.expect_nothing()


@for_versions(EVERY, "messages wait in a queue for their consumer, in order")
def _(version):
    destination = "/queue/" + unique("wait")
    with connected(version) as producer:
        for i in range(5):
            producer.send(destination, f"{i}")
    with connected(version) as consumer:
        consumer.subscribe(destination)
        equal(consumer.bodies(5), [f"{i}" for i in range(5)])


@for_versions(EVERY, "ack mode client: one ACK covers those before it")
def _(version):
    destination = "/queue/" + unique("client")
    with connected(version) as first:
        for i in range(4):
            first.send(destination, f"{i}")
        first.subscribe(destination, ack="client")
        frames = [first.next() for _ in range(4)]
        first.ack(frames[2])
    with connected(version) as second:
        second.subscribe(destination)
        equal(second.bodies(1), ["3"])


@for_versions(NEWER, "ack mode client-individual: one ACK covers one")
def _(version):
    destination = "/queue/" + unique("individual")
    with connected(version) as first:
        for i in range(4):
            first.send(destination, f"{i}")
        first.subscribe(destination, ack="client-individual")
        frames = [first.next() for _ in range(4)]
        first.ack(frames[2])
        first.ack(frames[0])
    with connected(version) as second:
        second.subscribe(destination)
        equal(second.bodies(2), ["1", "3"])


@for_versions(NEWER, "NACK")
def _(version):
    destination = "/queue/" + unique("nack")
    with connected(version) as client:
        client.subscribe(destination, ack="client-individual")
        client.send(destination, "unwanted")
        client.nack(client.next(), requeue="true")
        # Requeued: it comes again.
        client.ack(client.next())
        client.expect_nothing()


@for_versions(NEWER, "ack mode client: one NACK covers those before it")
def _(version):
    destination = "/queue/" + unique("nack")
    with connected(version) as first:
        for i in range(4):
            first.send(destination, f"{i}")
        first.subscribe(destination, ack="client")
        frames = [first.next() for _ in range(4)]
        first.ack(frames[0])
        first.nack(frames[2], requeue="false")
    with connected(version) as second:
        second.subscribe(destination)
        equal(second.bodies(1), ["3"])


@for_versions(NEWER, "transactions: commit and abort of a NACK")
def _(version):
    destination = "/queue/" + unique("transaction")
    with connected(version) as client:
        client.send(destination, "unwanted")
        client.subscribe(destination, ack="client-individual")
        frame = client.next()
        for end, comes in ((client.stomp.abort, False), (client.stomp.commit, True)):
            transaction = client.stomp.begin()
            client.nack(frame, transaction=transaction, requeue="true")
            client.expect_nothing(0.2)
            end(transaction)
            if comes:
                client.ack(client.next())
            else:
                client.expect_nothing(0.2)


@for_versions(EVERY, "transactions: commit and abort of what was sent")
def _(version):
    destination = "/queue/" + unique("transaction")
    with connected(version) as client:
        client.subscribe(destination)
        for end, bodies in ((client.stomp.abort, []), (client.stomp.commit, ["one", "two"])):
            transaction = client.stomp.begin()
            # A broker may keep these receipts back until the end too.
            client.stomp.send(destination, "one", transaction=transaction)
            client.stomp.send(destination, "two", transaction=transaction)
            client.expect_nothing(0.2)
            end(transaction)
            equal(client.bodies(len(bodies)), bodies)


@for_versions(EVERY, "transactions: commit and abort of what was acknowledged")
def _(version):
    destination = "/queue/" + unique("transaction")
    with connected(version) as client:
        client.send(destination, "aborted")
        client.subscribe(destination, ack="client")
        transaction = client.stomp.begin()
        client.ack(client.next(), transaction=transaction)
        client.stomp.abort(transaction)
    with connected(version) as client:
        client.subscribe(destination, ack="client")
        frame = client.next()
        equal(frame.body, "aborted")
        transaction = client.stomp.begin()
        client.ack(frame, transaction=transaction)
        client.stomp.commit(transaction)
    with connected(version) as client:
        client.subscribe(destination)
        client.expect_nothing()


@for_versions(EVERY, "every subscriber of a topic gets a copy, a later one does not")
def _(version):
    destination = "/topic/" + unique("topic")
    with connected(version) as one, connected(version) as two, connected(version) as late:
        for client in (one, two):
            client.subscribe(destination)
        one.send(destination, "news")
        late.subscribe(destination)
        equal((one.bodies(1), two.bodies(1)), (["news"], ["news"]))
        late.expect_nothing()


@for_versions(EVERY, "wildcards in a topic, as on a topic exchange")
def _(version):
    base = unique("wild")
    with connected(version) as client:
        client.subscribe(f"/topic/{base}.*")
        client.send(f"/topic/{base}.a", "matches")
        client.send(f"/topic/{base}.a.b", "does not")
        equal(client.bodies(1), ["matches"])


@for_versions(EVERY, "an exchange by name")
def _(version):
    key = unique("key")
    with connected(version) as client:
        client.subscribe(f"/exchange/amq.direct/{key}")
        client.send(f"/exchange/amq.direct/{key}", "through the exchange")
        client.send(f"/exchange/amq.direct/{key}-other", "not this")
        equal(client.bodies(1), ["through the exchange"])


@for_versions(EVERY, "UNSUBSCRIBE")
def _(version):
    destination = "/topic/" + unique("unsubscribe")
    with connected(version) as client:
        subscription = client.subscribe(destination)
        client.send(destination, "before")
        equal(client.bodies(1), ["before"])
        client.unsubscribe(destination, subscription)
        client.send(destination, "after")
        client.expect_nothing()


@for_versions(EVERY, "two consumers share a queue")
def _(version):
    destination = "/queue/" + unique("shared")
    with connected(version) as one, connected(version) as two:
        for client in (one, two):
            client.subscribe(destination)
        for i in range(10):
            one.send(destination, f"{i}")
        time.sleep(0.3)
        equal((one.messages.qsize(), two.messages.qsize()), (5, 5))


@for_versions(EVERY, "a receipt for every kind of frame")
def _(version):
    destination = "/queue/" + unique("receipt")
    with connected(version) as client:
        subscription = client.subscribe(destination, ack="client")
        client.send(destination, "x")
        client.ack(client.next())
        transaction = unique("transaction")
        for frame in (client.stomp.begin, client.stomp.commit):
            with client.receipt() as receipt:
                frame(transaction, headers={"receipt": receipt})
        client.unsubscribe(destination, subscription)


@for_versions(EVERY, "bodies with zero bytes, empty bodies, and 1 MiB")
def _(version):
    destination = "/queue/" + unique("body")
    with connected(version, binary=True) as client:
        client.subscribe(destination)
        for body in (b"\x00a\x00", b"", b"\n\n", bytes(range(256)), b"x" * 1_048_576):
            client.send(destination, body)
            equal(client.next().body, body)


@for_versions(NEWER, "headers with colons, line feeds and backslashes")
def _(version):
    destination = "/queue/" + unique("escape")
    with connected(version) as client:
        client.subscribe(destination)
        value = "a:b\\c\nd ünï"
        client.send(destination, "", **{"x-odd": value})
        equal(client.next().headers["x-odd"], value)


@for_versions(NEWER, "heart-beats both ways keep an idle connection")
def _(version):
    with connected(version, heartbeats=(500, 500)) as client:
        ours = [int(n) for n in client.greeting.headers["heart-beat"].split(",")]
        assert all(ours), f"the server offers no heart-beats: {ours}"
        time.sleep(3)
        assert client.gone.empty(), "disconnected"
        destination = "/queue/" + unique("idle")
        client.subscribe(destination)
        client.send(destination, "alive")
        equal(client.next().body, "alive")


@for_versions(EVERY, "a wrong password gets an ERROR")
def _(version):
    client = Client(version)
    try:
        client.connect(password="wrong")
    except stomp.exception.ConnectFailedException:
        assert client.errors.get(timeout=10).headers.get("message")
    else:
        raise AssertionError("the wrong password was let in")


@for_versions(EVERY, "a destination that makes no sense gets an ERROR, and the connection closed")
def _(version):
    client = connected(version)
    client.stomp.send("/nonsense/" + unique("x"), "")
    assert client.errors.get(timeout=10).headers.get("message")
    client.gone.get(timeout=10)


LATE = ("1.1", "1.2")


@for_versions(LATE, "message groups stay with a consumer")
def _(version):
    destination = "/queue/" + unique("group")
    with connected(version) as one, connected(version) as two, connected(version) as sender:
        for client in (one, two):
            client.subscribe(destination)
        for n in range(4):
            for group in "xy":
                sender.send(destination, f"{group}{n}", JMSXGroupID=group)
        seen = sorted(client.bodies(4) for client in (one, two))
        equal(seen, [["x0", "x1", "x2", "x3"], ["y0", "y1", "y2", "y3"]])


@for_versions(LATE, "an exclusive consumer has everything until it leaves")
def _(version):
    destination = "/queue/" + unique("exclusive")
    with connected(version) as plain, connected(version) as sender:
        plain.subscribe(destination)
        leader = connected(version)
        subscription = leader.subscribe(destination, **{"activemq.exclusive": "true"})
        for body in "ab":
            sender.send(destination, body)
        equal(leader.bodies(2), ["a", "b"])
        # With its receipt: what comes before that is still the leader's.
        leader.unsubscribe(destination, subscription)
        leader.close()
        sender.send(destination, "c")
        equal(plain.bodies(1), ["c"])


@for_versions(LATE, "browsing takes nothing, and says when it ends")
def _(version):
    destination = "/queue/" + unique("browse")
    with connected(version) as client:
        for body in "abc":
            client.send(destination, body)
        client.subscribe(destination, browser="true")
        frames = [client.next() for _ in range(4)]
        equal([frame.body for frame in frames], ["a", "b", "c", ""])
        equal(frames[3].headers["browser"], "end")
        client.subscribe(destination)
        equal(client.bodies(3), ["a", "b", "c"])


@for_versions(LATE, "virtual topics and composite destinations")
def _(version):
    name = unique("Orders")
    with connected(version) as client:
        queue_a = f"/queue/Consumer.A.VirtualTopic.{name}"
        queue_b = f"/queue/Consumer.B.VirtualTopic.{name}"
        client.subscribe(f"{queue_a},{queue_b}")
        client.send(f"/topic/VirtualTopic.{name}", "copied")
        equal(client.bodies(2), ["copied", "copied"])
        one, two = ("/queue/" + unique("part") for _ in range(2))
        client.send(f"{one},{two}", "both")
        client.subscribe(two)
        client.subscribe(one)
        equal(client.bodies(2), ["both", "both"])


if __name__ == "__main__":
    check.run()
