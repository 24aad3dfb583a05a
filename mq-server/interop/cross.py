"""One message, several protocols: pika, paho-mqtt and stomp.py on one broker.

The names correspond as they do in RabbitMQ: an MQTT topic `a/b`, the routing
key `a.b` of the exchange `amq.topic`, and the STOMP destination `/topic/a.b`
are one place; `/queue/q` is the AMQP queue `q`.
"""

import time

import pika
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from amqp_pika import arrived, connected as amqp, depth, queue as amqp_queue
from checks import Checks, equal, unique
from mqtt_paho import V5, V311, connected as mqtt
from stomp_stomppy import connected as stomp_connected

check = Checks("cross")


def names():
    """The same place as each protocol spells it."""
    stem, leaf = unique("cross"), "leaf"
    return f"{stem}.{leaf}", f"{stem}/{leaf}", f"/topic/{stem}.{leaf}"


def bound(ch, key):
    name = amqp_queue(ch)
    ch.queue_bind(name, "amq.topic", key)
    return name


@check("pika publishes, paho-mqtt and stomp.py consume")
def _():
    key, topic, destination = names()
    with amqp() as connection, mqtt(V311) as paho, stomp_connected("1.2") as client:
        paho.subscribe(topic, 1)
        client.subscribe(destination, ack="client-individual")
        ch = connection.channel()
        ch.confirm_delivery()
        for i in range(10):
            ch.basic_publish("amq.topic", key, b"%d" % i, pika.BasicProperties(delivery_mode=2))
        equal(paho.payloads(10), [b"%d" % i for i in range(10)])
        for i in range(10):
            frame = client.next()
            equal(frame.body, f"{i}")
            client.ack(frame)


@check("paho-mqtt publishes, pika and stomp.py consume")
def _():
    key, topic, destination = names()
    with amqp() as connection, mqtt(V311) as paho, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = bound(ch, key)
        client.subscribe(destination)
        for qos in (0, 1):
            paho.publish(topic, b"at %d" % qos, qos)
        equal(client.bodies(2), ["at 0", "at 1"])
        for qos in (0, 1):
            method, _, body = ch.basic_get(name)
            equal((body, method.exchange, method.routing_key), (b"at %d" % qos, "amq.topic", key))
            ch.basic_ack(method.delivery_tag)


@check("stomp.py publishes, pika and paho-mqtt consume")
def _():
    key, topic, destination = names()
    with amqp() as connection, mqtt(V311) as paho, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = bound(ch, key)
        paho.subscribe(topic, 1)
        for i in range(3):
            client.send(destination, f"{i}")
        equal(paho.payloads(3), [b"0", b"1", b"2"])
        equal(arrived(ch, name), [b"0", b"1", b"2"])


@check("a queue between pika and stomp.py, both ways")
def _():
    with amqp() as connection, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = unique("cross")
        ch.queue_declare(name, durable=True)
        client.send(f"/queue/{name}", "from stomp")
        method, _, body = ch.basic_get(name)
        equal(body, b"from stomp")
        ch.basic_ack(method.delivery_tag)
        client.subscribe(f"/queue/{name}", ack="client-individual")
        ch.basic_publish("", name, b"from amqp")
        frame = client.next()
        equal(frame.body, "from amqp")
        client.ack(frame)
        client.expect_nothing(0.1)
        ch.queue_delete(name)


@check("an exchange of pika's, named by stomp.py")
def _():
    with amqp() as connection, stomp_connected("1.2") as client:
        ch = connection.channel()
        exchange = unique("exchange")
        ch.exchange_declare(exchange, "direct")
        name = amqp_queue(ch)
        ch.queue_bind(name, exchange, "key")
        client.subscribe(f"/exchange/{exchange}/key")
        client.send(f"/exchange/{exchange}/key", "both")
        equal(client.bodies(1), ["both"])
        equal(arrived(ch, name), [b"both"])
        ch.exchange_delete(exchange)


@check("wildcards of three protocols meet")
def _():
    stem = unique("wild")
    with amqp() as connection, mqtt(V311) as paho, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = bound(ch, f"{stem}.*.c")
        paho.subscribe(f"{stem}/+/c", 1)
        client.subscribe(f"/topic/{stem}.*.c")
        paho.publish(f"{stem}/b/c", b"mqtt", 1)
        client.send(f"/topic/{stem}.b.c", "stomp")
        ch.basic_publish("amq.topic", f"{stem}.b.c", b"amqp")
        ch.basic_publish("amq.topic", f"{stem}.b.d", b"no match")
        wanted = [b"amqp", b"mqtt", b"stomp"]
        equal(sorted(paho.payloads(3)), wanted)
        equal(sorted(body.encode() for body in client.bodies(3)), wanted)
        equal(sorted(arrived(ch, name)), wanted)


@check("content type and headers go from pika to stomp.py and back")
def _():
    key, _, destination = names()
    with amqp() as connection, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = bound(ch, key)
        client.subscribe(destination)
        ch.basic_publish(
            "amq.topic",
            key,
            b"{}",
            pika.BasicProperties(
                content_type="application/json",
                correlation_id="c1",
                message_id="m1",
                headers={"x-own": "kept"},
            ),
        )
        headers = client.next().headers
        equal((headers["content-type"], headers["correlation-id"], headers["x-own"]),
              ("application/json", "c1", "kept"))
        ch.queue_purge(name)
        client.send(destination, "{}", **{
            "content-type": "application/json", "correlation-id": "c2", "x-own": "kept too",
        })
        client.next()
        _, properties, _ = ch.basic_get(name, auto_ack=True)
        equal((properties.content_type, properties.correlation_id, properties.headers["x-own"]),
              ("application/json", "c2", "kept too"))


@check("5.0: content type and user properties go from pika to paho-mqtt and back")
def _():
    key, topic, _ = names()
    with amqp() as connection, mqtt(V5) as paho:
        ch = connection.channel()
        name = bound(ch, key)
        paho.subscribe(topic, 1)
        ch.basic_publish(
            "amq.topic",
            key,
            b"{}",
            pika.BasicProperties(
                content_type="application/json", correlation_id="c1", headers={"x-own": "kept"}
            ),
        )
        got = paho.next().properties
        equal((got.ContentType, got.CorrelationData), ("application/json", b"c1"))
        assert ("x-own", "kept") in got.UserProperty, got.UserProperty
        ch.queue_purge(name)
        sent = Properties(PacketTypes.PUBLISH)
        sent.ContentType = "application/json"
        sent.CorrelationData = b"c2"
        sent.UserProperty = [("x-own", "kept too")]
        paho.publish(topic, b"{}", 1, properties=sent)
        _, properties, _ = ch.basic_get(name, auto_ack=True)
        equal((properties.content_type, properties.correlation_id, properties.headers["x-own"]),
              ("application/json", "c2", "kept too"))


@check("what AMQP does not acknowledge, STOMP gets redelivered")
def _():
    with stomp_connected("1.2") as client:
        with amqp() as connection:
            ch = connection.channel()
            name = unique("cross")
            ch.queue_declare(name, durable=True)
            ch.basic_publish("", name, b"handed on")
            ch.basic_get(name)
        client.subscribe(f"/queue/{name}", ack="client")
        frame = client.next()
        equal(frame.body, "handed on")
        client.ack(frame)
        client.close()
    with amqp() as connection:
        connection.channel().queue_delete(name)


@check("a STOMP transaction reaches AMQP all at once")
def _():
    with amqp() as connection, stomp_connected("1.2") as client:
        ch = connection.channel()
        name = unique("cross")
        ch.queue_declare(name, durable=True)
        transaction = client.stomp.begin()
        for body in ("one", "two"):
            client.stomp.send(f"/queue/{name}", body, transaction=transaction)
        time.sleep(0.3)
        equal(depth(ch, name), 0)
        with client.receipt() as receipt:
            client.stomp.commit(transaction, headers={"receipt": receipt})
        deadline = time.monotonic() + 2
        while depth(ch, name) != 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        equal(depth(ch, name), 2)
        ch.queue_delete(name)


@check("bytes that are no text cross unchanged")
def _():
    key, topic, destination = names()
    body = bytes(range(256))
    with amqp() as connection, mqtt(V311) as paho, stomp_connected("1.2", binary=True) as client:
        ch = connection.channel()
        name = bound(ch, key)
        paho.subscribe(topic, 1)
        client.subscribe(destination)
        client.send(destination, body)
        paho.publish(topic, body, 1)
        ch.basic_publish("amq.topic", key, body)
        equal(paho.payloads(3), [body] * 3)
        equal(client.bodies(3), [body] * 3)
        equal(arrived(ch, name), [body] * 3)


if __name__ == "__main__":
    check.run()
