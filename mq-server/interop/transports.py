"""TLS and WebSocket, with the Python clients: one port for everything, and a certificate of our own."""

import os
import queue
import ssl

import paho.mqtt.client as mqtt
import pika
import stomp
from checks import Checks, equal, unique
from tls_threads import take_turns

HOST = "localhost"
PORT = int(os.environ["MQ_ANY_PORT"])
CERTIFICATE = os.environ["MQ_CERTIFICATE"]
check = Checks("transports.py")
take_turns()


def paho(transport, tls):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, transport=transport)
    if transport == "websockets":
        client.ws_set_options(path="/mqtt")
    if tls:
        client.tls_set(ca_certs=CERTIFICATE)
    received = queue.Queue()
    topic = unique("topic")
    client.on_connect = lambda *_: client.subscribe(topic, qos=2)
    client.on_subscribe = lambda *_: client.publish(topic, b"x" * 300_000, qos=2)
    client.on_message = lambda _client, _data, message: received.put(message.payload)
    client.connect(HOST, PORT)
    client.loop_start()
    equal(received.get(timeout=10), b"x" * 300_000)
    client.disconnect()
    client.loop_stop()


@check("paho-mqtt over TLS")
def _():
    paho("tcp", tls=True)


@check("paho-mqtt over WebSocket")
def _():
    paho("websockets", tls=False)


@check("paho-mqtt over WebSocket and TLS")
def _():
    paho("websockets", tls=True)


@check("a certificate of a stranger is refused")
def _():
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.tls_set()
    try:
        client.connect(HOST, PORT)
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("the client took it")


@check("pika over TLS")
def _():
    context = ssl.create_default_context(cafile=CERTIFICATE)
    parameters = pika.ConnectionParameters(HOST, PORT, ssl_options=pika.SSLOptions(context, HOST))
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    declared = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    channel.basic_publish("", declared, b"y" * 300_000)
    _method, _properties, body = channel.basic_get(declared, auto_ack=True)
    equal(body, b"y" * 300_000)
    connection.close()


@check("stomp.py over TLS")
def _():
    connection = stomp.Connection12([(HOST, PORT)])
    connection.set_ssl([(HOST, PORT)], ca_certs=CERTIFICATE)
    listener = Listener()
    connection.set_listener("", listener)
    connection.connect("guest", "guest", wait=True)
    destination = "/queue/" + unique("queue")
    connection.subscribe(destination, id="1", ack="auto")
    connection.send(destination, "z" * 300_000)
    equal(listener.received.get(timeout=10), "z" * 300_000)
    connection.disconnect()


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.received = queue.Queue()

    def on_message(self, frame):
        self.received.put(frame.body)


check.run()
