"""stomp.py and paho-mqtt against a server with ActiveMQ's words for STOMP, and with topic rewrites.

What ActiveMQ's documentation says of redelivery ("Message Redelivery and DLQ Handling"), of
schedules ("Delay and Schedule Message Delivery"), and EMQX's of rewrites ("Topic Rewrite").
"""

import os
import time

# The ports of the server that these checks are for, before the modules read them.
os.environ["MQ_STOMP_PORT"] = os.environ["MQ_DIALECT_STOMP_PORT"]
os.environ["MQ_MQTT_PORT"] = os.environ["MQ_DIALECT_MQTT_PORT"]

import mqtt_paho
import stomp_stomppy
from checks import Checks, equal, unique

check = Checks("dialects")
LETTERS = "/queue/ActiveMQ.DLQ"


def letter(client, body):
    """Takes a message out of the dead letters."""
    subscription = client.subscribe(LETTERS)
    equal(client.next().body, body)
    client.unsubscribe(LETTERS, subscription)


for version in ("1.1", "1.2"):

    @check(f"{version}: what is refused goes to ActiveMQ.DLQ")
    def _(version=version):
        queue, body = "/queue/" + unique("refused"), unique("body")
        with stomp_stomppy.connected(version) as client:
            client.subscribe(queue, ack="client-individual")
            client.send(queue, body, persistent="true")
            client.nack(client.next())
            letter(client, body)

    @check(f"{version}: after six redeliveries a message goes to ActiveMQ.DLQ")
    def _(version=version):
        queue, body = "/queue/" + unique("again"), unique("body")
        with stomp_stomppy.connected(version) as client:
            client.send(queue, body, persistent="true")
        for n in range(7):
            client = stomp_stomppy.connected(version)
            client.subscribe(queue, ack="client-individual")
            frame = client.next()
            equal(frame.body, body)
            equal(frame.headers.get("redelivered", "false"), "true" if n else "false")
            # It goes with the message unacknowledged.
            client.close()
        with stomp_stomppy.connected(version) as client:
            letter(client, body)
            client.subscribe(queue)
            client.expect_nothing()

    @check(f"{version}: a schedule with a delay, a period and repeats")
    def _(version=version):
        queue, body = "/queue/" + unique("late"), unique("body")
        with stomp_stomppy.connected(version) as client:
            client.subscribe(queue)
            client.send(
                queue,
                body,
                AMQ_SCHEDULED_DELAY="800",
                AMQ_SCHEDULED_PERIOD="300",
                AMQ_SCHEDULED_REPEAT="2",
            )
            begin = time.monotonic()
            frames = [client.next() for _ in range(3)]
            passed = time.monotonic() - begin
            equal([frame.body for frame in frames], [body] * 3)
            equal(all("scheduledJobId" in frame.headers for frame in frames), True)
            # The first has waited since before its receipt came.
            equal(passed >= 1.2, True)
            client.expect_nothing(0.6)


for version in ("1.1", "1.2"):

    @check(f"{version}: a durable subscription waits for its client, until it is ended by its name")
    def _(version=version):
        topic, body = "/topic/" + unique("durable"), unique("body")
        name = {"activemq.subscriptionName": unique("name")}
        client_id = {"client-id": unique("client")}

        def back():
            client = stomp_stomppy.Client(version)
            client.stomp.connect("guest", "guest", wait=True, headers=client_id)
            return client

        with back() as client:
            client.subscribe(topic, **name)
        with stomp_stomppy.connected(version) as publisher:
            publisher.send(topic, body, persistent="true")
        with back() as client:
            client.subscribe(topic, **name)
            equal(client.next().body, body)
        with back() as client, client.receipt() as receipt:
            client.stomp.unsubscribe(id="1", receipt=receipt, **name)
        with stomp_stomppy.connected(version) as publisher:
            publisher.send(topic, body, persistent="true")
        with back() as client:
            client.subscribe(topic, **name)
            client.expect_nothing()

    @check(f"{version}: activemq.noLocal keeps what one publishes from oneself")
    def _(version=version):
        topic, body = "/topic/" + unique("local"), unique("body")
        with stomp_stomppy.connected(version) as one, stomp_stomppy.connected(version) as other:
            one.subscribe(topic, **{"activemq.noLocal": "true"})
            other.subscribe(topic)
            one.send(topic, body)
            equal(other.next().body, body)
            one.expect_nothing()


for version in (mqtt_paho.V311, mqtt_paho.V5):

    @check(f"{mqtt_paho.NAMES[version]}: topics have other names by the rules")
    def _(version=version):
        name = unique("rewrite")
        with mqtt_paho.connected(version) as old, mqtt_paho.connected(version) as new:
            old.subscribe(f"old/{name}/#", 1)
            new.subscribe(f"new/{name}/#", 1)
            old.publish(f"old/{name}/a", b"renamed", 1)
            for client in (old, new):
                message = client.next()
                equal((message.topic, message.payload), (f"new/{name}/a", b"renamed"))
                client.expect_nothing()


check.run()
