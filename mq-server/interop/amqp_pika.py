"""pika, the Python client for AMQP 0-9-1, in its blocking form."""

import contextlib
import datetime
import decimal
import logging
import time

import pika
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ProbableAuthenticationError,
    UnroutableError,
)

from checks import AMQP_PORT, HOST, Checks, equal, unique

check = Checks("pika")
logging.getLogger("pika").setLevel(logging.CRITICAL)


def parameters(user="guest", password="guest", **more):
    credentials = pika.PlainCredentials(user, password)
    return pika.ConnectionParameters(HOST, AMQP_PORT, credentials=credentials, **more)


@contextlib.contextmanager
def connected(**more):
    connection = pika.BlockingConnection(parameters(**more))
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


@contextlib.contextmanager
def channel(**more):
    with connected(**more) as connection:
        yield connection.channel()


def queue(ch, **more):
    """A queue that goes away with its connection."""
    more.setdefault("exclusive", True)
    return ch.queue_declare(unique("pika"), **more).method.queue


def arrived(ch, name, seconds=0.5, auto_ack=True):
    """Bodies of what the queue delivers until it has been quiet for a while."""
    bodies = []
    for method, _, body in ch.consume(name, auto_ack=auto_ack, inactivity_timeout=seconds):
        if method is None:
            break
        bodies.append(body)
    ch.cancel()
    return bodies


def depth(ch, name):
    return ch.queue_declare(name, passive=True).method.message_count


@check("publish, consume, acknowledge")
def _():
    with channel() as ch:
        name = queue(ch)
        for i in range(10):
            ch.basic_publish("", name, b"message %d" % i)
        seen = []
        for method, _, body in ch.consume(name, inactivity_timeout=5):
            equal(method.redelivered, False)
            seen.append(body)
            ch.basic_ack(method.delivery_tag)
            if len(seen) == 10:
                break
        ch.cancel()
        equal(seen, [b"message %d" % i for i in range(10)])
        equal(depth(ch, name), 0)


@check("one acknowledgement for many")
def _():
    with connected() as connection:
        first = connection.channel()
        name = queue(first)
        for i in range(5):
            first.basic_publish("", name, b"%d" % i)
        tags = [first.basic_get(name)[0].delivery_tag for _ in range(5)]
        first.basic_ack(tags[2], multiple=True)
        first.close()
        second = connection.channel()
        equal(arrived(second, name), [b"3", b"4"])


@check("what was not acknowledged comes again, marked as redelivered")
def _():
    with connected() as connection:
        first = connection.channel()
        name = queue(first)
        first.basic_publish("", name, b"again")
        method, _, _ = first.basic_get(name)
        equal(method.redelivered, False)
        first.close()
        second = connection.channel()
        method, _, body = second.basic_get(name, auto_ack=True)
        equal((method.redelivered, body), (True, b"again"))


@check("publisher confirms")
def _():
    with channel() as ch:
        name = queue(ch)
        ch.confirm_delivery()
        for i in range(20):
            # Returns when the confirm has come, and raises on a nack.
            ch.basic_publish("", name, b"%d" % i, mandatory=True)
        equal(depth(ch, name), 20)


@check("a mandatory message without a queue comes back: confirmed")
def _():
    with channel() as ch:
        ch.confirm_delivery()
        try:
            ch.basic_publish("", unique("nowhere"), b"lost", mandatory=True)
        except UnroutableError as error:
            equal(error.messages[0].method.reply_code, 312)
            equal(error.messages[0].body, b"lost")
        else:
            raise AssertionError("nothing came back")


@check("a mandatory message without a queue comes back: not confirmed")
def _():
    with connected() as connection:
        ch = connection.channel()
        returned = []
        ch.add_on_return_callback(lambda *args: returned.append(args))
        nowhere = unique("nowhere")
        ch.basic_publish(
            "", nowhere, b"lost", pika.BasicProperties(message_id="m1"), mandatory=True
        )
        while not returned:
            connection.process_data_events(time_limit=1)
        _, method, properties, body = returned[0]
        equal(
            (method.reply_code, method.exchange, method.routing_key, properties.message_id, body),
            (312, "", nowhere, "m1", b"lost"),
        )


@check("transactions: commit and rollback of what was published")
def _():
    with connected() as connection:
        ch, other = connection.channel(), connection.channel()
        name = queue(ch)
        ch.tx_select()
        ch.basic_publish("", name, b"rolled back")
        ch.tx_rollback()
        ch.basic_publish("", name, b"committed")
        equal(depth(other, name), 0)
        ch.tx_commit()
        equal(depth(other, name), 1)
        equal(other.basic_get(name, auto_ack=True)[2], b"committed")


@check("transactions: commit and rollback of what was acknowledged")
def _():
    with connected() as connection:
        ch, other = connection.channel(), connection.channel()
        name = queue(ch)
        for body in (b"1", b"2"):
            other.basic_publish("", name, body)
        ch.tx_select()
        ch.basic_ack(ch.basic_get(name)[0].delivery_tag)
        ch.tx_commit()
        ch.basic_ack(ch.basic_get(name)[0].delivery_tag)
        ch.tx_rollback()
        ch.close()
        equal(arrived(other, name), [b"2"])


@check("prefetch holds deliveries back until an acknowledgement")
def _():
    with connected() as connection:
        ch = connection.channel()
        name = queue(ch)
        for i in range(5):
            ch.basic_publish("", name, b"%d" % i)
        ch.basic_qos(prefetch_count=2)
        seen = []
        ch.basic_consume(name, lambda _ch, method, _p, body: seen.append((method.delivery_tag, body)))
        connection.process_data_events(time_limit=0.5)
        equal([body for _, body in seen], [b"0", b"1"])
        ch.basic_ack(seen[0][0])
        connection.process_data_events(time_limit=0.5)
        equal([body for _, body in seen], [b"0", b"1", b"2"])
        ch.basic_ack(seen[2][0], multiple=True)
        connection.process_data_events(time_limit=0.5)
        equal([body for _, body in seen], [b"0", b"1", b"2", b"3", b"4"])


@check("nack with requeue brings it back, reject without does not")
def _():
    with channel() as ch:
        name = queue(ch)
        ch.basic_publish("", name, b"unwanted")
        method, _, _ = ch.basic_get(name)
        ch.basic_nack(method.delivery_tag, requeue=True)
        method, _, body = ch.basic_get(name)
        equal((method.redelivered, body), (True, b"unwanted"))
        ch.basic_reject(method.delivery_tag, requeue=False)
        equal(ch.basic_get(name), (None, None, None))


@check("nack of many, with requeue, keeps the order")
def _():
    with channel() as ch:
        name = queue(ch)
        for i in range(4):
            ch.basic_publish("", name, b"%d" % i)
        tags = [ch.basic_get(name)[0].delivery_tag for _ in range(3)]
        ch.basic_nack(tags[2], multiple=True, requeue=True)
        equal(arrived(ch, name), [b"0", b"1", b"2", b"3"])


@check("recover redelivers")
def _():
    with channel() as ch:
        name = queue(ch)
        ch.basic_publish("", name, b"recovered")
        ch.basic_get(name)
        ch.basic_recover(requeue=True)
        method, _, body = ch.basic_get(name, auto_ack=True)
        equal((method.redelivered, body), (True, b"recovered"))


ROUTES = [
    # type, binding key, arguments, routing key, headers, does it arrive?
    ("direct", "a.b", None, "a.b", None, True),
    ("direct", "a.b", None, "a.c", None, False),
    ("fanout", "ignored", None, "anything", None, True),
    ("topic", "a.*", None, "a.b", None, True),
    ("topic", "a.*", None, "a.b.c", None, False),
    ("topic", "a.#", None, "a", None, True),
    ("topic", "#.c", None, "a.b.c", None, True),
    ("headers", "", {"x-match": "all", "a": 1, "b": "x"}, "", {"a": 1, "b": "x", "c": 0}, True),
    ("headers", "", {"x-match": "all", "a": 1, "b": "x"}, "", {"a": 1}, False),
    ("headers", "", {"x-match": "any", "a": 1, "b": "x"}, "", {"a": 1}, True),
    ("headers", "", {"x-match": "any", "a": 1, "b": "x"}, "", {"a": 2}, False),
]


@check("exchanges: direct, fanout, topic, headers")
def _():
    with channel() as ch:
        ch.confirm_delivery()
        for kind, binding, arguments, key, headers, wanted in ROUTES:
            exchange = unique("exchange")
            ch.exchange_declare(exchange, kind, auto_delete=True)
            name = queue(ch)
            ch.queue_bind(name, exchange, binding, arguments)
            properties = pika.BasicProperties(headers=headers)
            try:
                ch.basic_publish(exchange, key, b"x", properties, mandatory=True)
                came = ch.basic_get(name, auto_ack=True)[2] == b"x"
            except UnroutableError:
                came = False
            if came != wanted:
                raise AssertionError(f"{kind} {binding!r} {arguments} <- {key!r} {headers}: {came}")
            ch.queue_unbind(name, exchange, binding, arguments)


@check("exchange bound to exchange")
def _():
    with channel() as ch:
        outer, inner, name = unique("outer"), unique("inner"), queue(ch)
        ch.exchange_declare(outer, "topic", auto_delete=True)
        ch.exchange_declare(inner, "fanout", auto_delete=True)
        ch.exchange_bind(inner, outer, "a.#")
        ch.queue_bind(name, inner)
        ch.basic_publish(outer, "a.b", b"through two")
        ch.basic_publish(outer, "b.a", b"not this")
        equal(arrived(ch, name), [b"through two"])


@check("a queue bound twice gets one copy")
def _():
    with channel() as ch:
        name = queue(ch)
        for pattern in ("twice.#", "*.x"):
            ch.queue_bind(name, "amq.topic", pattern)
        ch.basic_publish("amq.topic", "twice.x", b"once")
        equal(arrived(ch, name), [b"once"])


@check("basic.get, and what it says of an empty queue")
def _():
    with channel() as ch:
        name = queue(ch)
        equal(ch.basic_get(name), (None, None, None))
        for body in (b"1", b"2", b"3"):
            ch.basic_publish("", name, body)
        method, _, body = ch.basic_get(name)
        equal((method.message_count, method.exchange, method.routing_key), (2, "", name))
        equal(body, b"1")
        ch.basic_ack(method.delivery_tag)


@check("every property and every kind of header comes through")
def _():
    with channel() as ch:
        name = queue(ch)
        when = datetime.datetime(2024, 2, 29, 12, 0, 0, tzinfo=datetime.timezone.utc)
        headers = {
            "text": "ünïcode",
            "true": True,
            "small": -1,
            "large": 2**40,
            "decimal": decimal.Decimal("3.14"),
            "when": when,
            "none": None,
            "bytes": b"\x00\xff",
            "list": [1, "two", [3]],
            "table": {"inner": {"deep": 1}},
        }
        sent = pika.BasicProperties(
            content_type="application/json",
            content_encoding="gzip",
            headers=headers,
            delivery_mode=2,
            priority=5,
            correlation_id="c1",
            reply_to="r1",
            expiration="600000",
            message_id="m1",
            timestamp=1700000000,
            type="t1",
            user_id="guest",
            app_id="a1",
            cluster_id="k1",
        )
        ch.basic_publish("", name, b"{}", sent)
        _, got, _ = ch.basic_get(name, auto_ack=True)
        equal(got, sent)


@check("bodies of 0 bytes, 1 byte, and many frames")
def _():
    with channel(frame_max=4096) as ch:
        name = queue(ch)
        for size in (0, 1, 4088, 4089, 1_000_000):
            ch.basic_publish("", name, b"x" * size)
            _, _, body = ch.basic_get(name, auto_ack=True)
            equal(len(body), size)


@check("two consumers share a queue")
def _():
    with connected() as connection:
        ch = connection.channel()
        name = queue(ch)
        seen = {"one": 0, "two": 0}

        def take(tag):
            def on_message(channel, method, _properties, _body):
                seen[tag] += 1
                channel.basic_ack(method.delivery_tag)

            return on_message

        for tag in seen:
            ch.basic_consume(name, take(tag), consumer_tag=tag)
        for _ in range(10):
            ch.basic_publish("", name, b"")
        deadline = time.monotonic() + 5
        while sum(seen.values()) < 10 and time.monotonic() < deadline:
            connection.process_data_events(time_limit=0.1)
        equal(seen, {"one": 5, "two": 5})


@check("deleting a queue cancels its consumer")
def _():
    with connected() as connection:
        ch = connection.channel()
        name = queue(ch, exclusive=False, auto_delete=True)
        cancelled = []
        ch.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
        tag = ch.basic_consume(name, lambda *_: None)
        connection.channel().queue_delete(name)
        while not cancelled:
            connection.process_data_events(time_limit=1)
        equal(cancelled, [tag])


@check("purge and delete say how many messages there were")
def _():
    with channel() as ch:
        name = queue(ch)
        for _ in range(3):
            ch.basic_publish("", name, b"")
        equal(ch.queue_purge(name).method.message_count, 3)
        ch.basic_publish("", name, b"")
        equal(ch.queue_delete(name).method.message_count, 1)


@check("a name from the server")
def _():
    with channel() as ch:
        name = ch.queue_declare("", exclusive=True).method.queue
        assert name.startswith("amq.gen"), name
        ch.basic_publish("", name, b"to the new name")
        equal(ch.basic_get(name, auto_ack=True)[2], b"to the new name")


def refused(code, function):
    """The channel is closed with this reply code, and only the channel."""
    with connected() as connection:
        ch = connection.channel()
        try:
            function(ch)
        except ChannelClosedByBroker as error:
            equal(error.reply_code, code)
        else:
            raise AssertionError("was not refused")
        connection.channel().queue_declare("", exclusive=True)


@check("channel errors: 404, 406, 405, 403")
def _():
    refused(404, lambda ch: ch.queue_declare(unique("missing"), passive=True))
    refused(404, lambda ch: ch.basic_consume(unique("missing"), lambda *_: None))
    refused(404, lambda ch: ch.queue_bind(queue(ch), unique("missing")))
    refused(404, lambda ch: ch.exchange_declare(unique("missing"), passive=True))
    refused(403, lambda ch: ch.queue_declare("amq.mine"))
    refused(403, lambda ch: ch.exchange_declare("amq.mine", "direct"))

    def declare_differently(ch):
        ch.queue_declare(queue(ch), exclusive=True, auto_delete=True)

    refused(406, declare_differently)
    refused(406, lambda ch: (ch.basic_ack(99), ch.basic_get(queue(ch))))
    with channel() as owner:
        name = queue(owner)
        refused(405, lambda ch: ch.queue_declare(name, exclusive=True))


@check("an exclusive queue goes with its connection, an auto-delete queue with its consumer")
def _():
    with connected() as connection:
        ch = connection.channel()
        exclusive = queue(ch)
        kept = queue(ch, exclusive=False, auto_delete=True)
        tag = ch.basic_consume(kept, lambda *_: None)
        ch.basic_cancel(tag)
        try:
            connection.channel().queue_declare(kept, passive=True)
        except ChannelClosedByBroker as error:
            equal(error.reply_code, 404)
        else:
            raise AssertionError("the auto-delete queue is still there")
    refused(404, lambda ch: ch.queue_declare(exclusive, passive=True))


@check("a wrong password and an unknown virtual host are refused")
def _():
    try:
        pika.BlockingConnection(parameters(password="wrong"))
    except ProbableAuthenticationError:
        pass
    else:
        raise AssertionError("the wrong password was let in")
    try:
        pika.BlockingConnection(parameters(virtual_host=unique("vhost")))
    except AMQPConnectionError as error:
        assert "530" in repr(error) or "NOT_ALLOWED" in repr(error), repr(error)
    else:
        raise AssertionError("the unknown virtual host was let in")


@check("heart-beats keep an idle connection, at one second")
def _():
    with connected(heartbeat=1) as connection:
        ch = connection.channel()
        name = queue(ch)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            connection.process_data_events(time_limit=0.2)
        ch.basic_publish("", name, b"alive")
        equal(ch.basic_get(name, auto_ack=True)[2], b"alive")


@check("many channels on one connection")
def _():
    with connected() as connection:
        channels = [connection.channel() for _ in range(50)]
        name = queue(channels[0])
        for i, ch in enumerate(channels):
            ch.basic_publish("", name, b"%d" % i)
        # Channels are independent: wait for each before counting.
        for ch in channels:
            depth(ch, name)
        equal(depth(channels[0], name), 50)


@check("a retry topology: three rounds of work, wait and work again, and then the parking place")
def _():
    with channel() as ch:
        work, wait, dead = (unique(name) for name in ("work", "wait", "dead"))
        to = lambda name: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name}
        queue_of = lambda name, arguments: ch.queue_declare(name, exclusive=True, arguments=arguments)
        queue_of(work, to(wait))
        queue_of(wait, {"x-message-ttl": 50, **to(work)})
        queue_of(dead, None)
        ch.basic_publish("", work, b"job")
        rounds = []
        for method, properties, body in ch.consume(work, inactivity_timeout=5):
            deaths = (properties and properties.headers or {}).get("x-death", [])
            rounds.append([death["count"] for death in deaths if death["queue"] == work])
            if len(rounds) <= 3:
                ch.basic_reject(method.delivery_tag, requeue=False)
                continue
            ch.basic_publish("", dead, body)
            ch.basic_ack(method.delivery_tag)
            break
        ch.cancel()
        equal(rounds, [[], [1], [2], [3]])
        equal(arrived(ch, dead), [b"job"])


@check("a delayed message comes when its time has come, with the negative of its delay")
def _():
    with channel() as ch:
        exchange, name = unique("delayed"), queue(ch)
        arguments = {"x-delayed-type": "direct"}
        ch.exchange_declare(exchange, "x-delayed-message", auto_delete=True, arguments=arguments)
        ch.queue_bind(name, exchange, "k")
        begin = time.monotonic()
        for delay in (600, 300):
            properties = pika.BasicProperties(headers={"x-delay": delay})
            ch.basic_publish(exchange, "k", str(delay).encode(), properties)
        seen = []
        for method, properties, body in ch.consume(name, auto_ack=True, inactivity_timeout=5):
            seen.append((body, properties.headers["x-delay"]))
            early = int(body) / 1000 - (time.monotonic() - begin)
            equal(early > 0.02, False)
            if len(seen) == 2:
                break
        ch.cancel()
        equal(seen, [(b"300", -300), (b"600", -600)])


@check("a consumer that holds a message for too long loses its channel: 406")
def _():
    with connected() as connection:
        ch = connection.channel()
        name = queue(ch, arguments={"x-consumer-timeout": 400})
        ch.basic_publish("", name, b"held")
        ch.basic_consume(name, lambda *_: None)
        time.sleep(0.8)
        try:
            # Its answer is what has come meanwhile.
            ch.basic_qos(prefetch_count=1)
        except ChannelClosedByBroker as error:
            equal(error.reply_code, 406)
            equal("delivery acknowledgement on channel 1 timed out" in error.reply_text, True)
        else:
            raise AssertionError("the channel is still open")
        again = connection.channel()
        method, _, body = again.basic_get(name, auto_ack=True)
        equal((body, method.redelivered), (b"held", True))


@check("a consistent-hash exchange spreads messages over its queues")
def _():
    with channel() as ch:
        exchange = unique("hash")
        ch.exchange_declare(exchange, "x-consistent-hash", auto_delete=True)
        names = [queue(ch) for _ in range(2)]
        for name in names:
            ch.queue_bind(name, exchange, "10")
        for number in range(200):
            ch.basic_publish(exchange, str(number), b"%d" % number)
        counts = [len(arrived(ch, name)) for name in names]
        equal((sum(counts), min(counts) > 50), (200, True))


@check("a thousand confirmed messages in a burst")
def _():
    with channel() as ch:
        name = queue(ch)
        for i in range(1000):
            ch.basic_publish("", name, b"%d" % i)
        ch.confirm_delivery()
        ch.basic_publish("", name, b"last")
        bodies = arrived(ch, name)
        equal(len(bodies), 1001)
        equal(bodies[:3] + bodies[-1:], [b"0", b"1", b"2", b"last"])


if __name__ == "__main__":
    check.run()
