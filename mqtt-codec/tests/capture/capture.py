#!/usr/bin/env python3
"""Takes packets of real clients and brokers from the wire, and prints them as rows.

    capture.py 'Mosquitto 2.0.11=127.0.0.1:1883' 'RabbitMQ 3.10.8=127.0.0.1:1884' \\
        >../data/captured.txt

Between each client and each broker stands a proxy that passes the bytes on and keeps a
copy. What it kept is cut into packets; a few of each kind, sender and version become rows,
as they were. The brokers let guest in, with the password guest.

Needs paho-mqtt and gmqtt beside the Python that runs it, MQTT.js where NODE_PATH says, and
mosquitto_pub and mosquitto_sub. The rows name the versions that were there.
"""

import asyncio
import importlib.metadata
import itertools
import logging
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import gmqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

HERE = pathlib.Path(__file__).resolve().parent
USER = PASSWORD = "guest"
LEVELS = {3: "3.1", 4: "3.1.1", 5: "5.0"}
NAMES = (
    "- CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK "
    "UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()
# So many of one kind, sender and version.
ENOUGH = 6


class Proxy:
    """Passes connections on to a broker, and keeps what went each way."""

    def __init__(self, broker):
        self.broker = broker
        self.kept = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.broker)
            sent, answered = bytearray(), bytearray()
            self.kept.append((sent, answered))
            for pair in ((client, server, sent), (server, client, answered)):
                threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source, target, copy):
    try:
        while data := source.recv(65536):
            copy += data
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


# ---- Clients. Each plays what it can; what a broker refuses is a packet too.


def with_paho(port, level):
    topic = f"capture/paho/{level}"

    def properties(kind, **values):
        if level < 5:
            return None
        made = Properties(kind)
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def client(name, clean=True, will=False, password=PASSWORD, **values):
        it = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=None if level == 5 else clean,
            protocol=level,
            manual_ack=not clean,
            reconnect_on_failure=False,
        )
        it.username_pw_set(USER, password)
        if will:
            it.will_set(
                f"{topic}/will",
                b"gone",
                qos=1,
                properties=properties(
                    PacketTypes.WILLMESSAGE, WillDelayInterval=5, ContentType="text/plain"
                ),
            )
        more = {"clean_start": clean} if level == 5 else {}
        it.connect(
            "127.0.0.1",
            port,
            keepalive=2,
            properties=properties(PacketTypes.CONNECT, **values),
            **more,
        )
        it.loop_start()
        time.sleep(0.4)
        return it

    one = client(
        "paho-1",
        will=True,
        SessionExpiryInterval=30,
        ReceiveMaximum=20,
        MaximumPacketSize=65536,
        TopicAliasMaximum=10,
        RequestResponseInformation=1,
        RequestProblemInformation=1,
        UserProperty=[("site", "north"), ("rack", "7")],
    )
    if level == 5:
        one.subscribe(
            [
                (f"{topic}/+/temp", SubscribeOptions(2, noLocal=False, retainHandling=1)),
                ("$share/group/" + topic + "/jobs", SubscribeOptions(1)),
                (f"{topic}/raw", SubscribeOptions(0, retainAsPublished=True)),
            ],
            properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=[7]),
        )
    else:
        one.subscribe([(f"{topic}/+/temp", 2), (f"{topic}/#", 1), (f"{topic}/raw", 0)])
    time.sleep(0.3)
    for qos, name in itertools.product((0, 1, 2), ("kitchen/temp", "raw", "nobody")):
        one.publish(
            f"{topic}/{name}",
            f"21.{qos}",
            qos=qos,
            retain=name == "raw",
            properties=properties(
                PacketTypes.PUBLISH,
                PayloadFormatIndicator=1,
                MessageExpiryInterval=60,
                ContentType="text/plain",
                ResponseTopic=f"{topic}/answers",
                CorrelationData=b"\x00\x01",
                UserProperty=("unit", "celsius"),
            )
            if name != "nobody"
            else None,
        )
        time.sleep(0.1)
    time.sleep(2.5)  # for PINGREQ
    one.unsubscribe([f"{topic}/+/temp", f"{topic}/unknown"])
    time.sleep(0.3)
    one.publish(f"{topic}/raw", b"", retain=True)
    if level == 5:
        one.disconnect(
            ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"),
            properties(PacketTypes.DISCONNECT, SessionExpiryInterval=1, ReasonString="done"),
        )
    else:
        one.disconnect()
    time.sleep(0.3)
    one.loop_stop()

    # A session that goes on, with messages that were not acknowledged.
    two = client("paho-2", clean=False, SessionExpiryInterval=60)
    two.subscribe([(f"{topic}/again", 2)])
    time.sleep(0.3)
    for qos in (1, 2):
        two.publish(f"{topic}/again", "once", qos=qos)
    time.sleep(0.4)
    two.loop_stop()
    two.socket() and two.socket().close()
    three = client("paho-2", clean=False, SessionExpiryInterval=60)
    time.sleep(0.4)
    # Takes the connection of the other over.
    four = client("paho-2", clean=True)
    four.disconnect()
    time.sleep(0.2)
    for it in (three, four):
        it.loop_stop()

    refused = client("paho-3", password="wrong")
    refused.loop_stop()
    if level == 5:
        refused = client(
            "paho-4", AuthenticationMethod="SCRAM-SHA-256", AuthenticationData=b"n,,n=guest"
        )
        refused.loop_stop()
        nameless = client("")
        nameless.disconnect()
        time.sleep(0.2)
        nameless.loop_stop()


def with_gmqtt(port, level):
    async def play():
        topic = f"capture/gmqtt/{level}"
        more = {"session_expiry_interval": 60, "receive_maximum": 100} if level == 5 else {}
        will = gmqtt.Message(f"{topic}/will", "gone", qos=2, retain=True)
        it = gmqtt.Client(f"gmqtt-{level}", clean_session=True, will_message=will, **more)
        it.set_auth_credentials(USER, PASSWORD)
        it.set_config({"reconnect_retries": 0})
        it.on_message = lambda *_: 0
        await it.connect("127.0.0.1", port, keepalive=2, version=level)
        if level == 5:
            it.subscribe(
                [
                    gmqtt.Subscription(f"{topic}/#", qos=2, no_local=False),
                    gmqtt.Subscription(f"{topic}/b", qos=1, retain_as_published=True),
                ],
                subscription_identifier=300,
            )
        else:
            it.subscribe([gmqtt.Subscription(f"{topic}/#", qos=2)])
        await asyncio.sleep(0.4)
        for qos in (0, 1, 2):
            more = (
                {"user_property": [("unit", "celsius")], "content_type": "json"}
                if level == 5
                else {}
            )
            it.publish(f"{topic}/a", {"celsius": 21.5}, qos=qos, **more)
            await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        it.unsubscribe(f"{topic}/#")
        await asyncio.sleep(0.3)
        await it.disconnect()

    asyncio.run(asyncio.wait_for(play(), 20))


def with_mosquitto(port, level):
    topic = f"capture/mosquitto/{level}"
    base = f"-V {({3: 'mqttv31', 4: 'mqttv311', 5: 'mqttv5'})[level]} -h 127.0.0.1 -p {port}"
    base = f"{base} -u {USER} -P {PASSWORD}".split()

    def five(text):
        return text.split() if level == 5 else []

    subscriber = subprocess.Popen(
        ["mosquitto_sub", *base, "-i", "mosquitto-sub", "-k", "5", "-W", "8", "-q", "2"]
        + ["-t", f"{topic}/#", "-t", f"{topic}/+/b", "-U", f"{topic}/+/b"]
        + ["--will-topic", f"{topic}/will", "--will-payload", "gone", "--will-qos", "2"]
        + five("-D connect session-expiry-interval 60 -D connect receive-maximum 10")
        + five("-D connect user-property site north -D subscribe subscription-identifier 128")
        + five("-D will message-expiry-interval 30 -D will user-property why gone")
        + five("-D unsubscribe user-property why enough"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    for qos, retain in itertools.product("012", ([], ["-r"])):
        subprocess.run(
            ["mosquitto_pub", *base, "-i", "mosquitto-pub", "-q", qos, *retain]
            + ["-t", f"{topic}/a", "-m", '{"celsius":21.5}']
            + five("-D publish content-type application/json -D publish topic-alias 1")
            + five("-D publish response-topic answers -D publish correlation-data 42")
            + five("-D publish message-expiry-interval 3600 -D publish user-property unit c"),
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
    subprocess.run(
        ["mosquitto_pub", *base, "-t", f"{topic}/a", "-r", "-n"], stderr=subprocess.DEVNULL
    )
    subscriber.wait()


def with_mqttjs(port, level):
    subprocess.run(
        ["node", str(HERE / "mqttjs.cjs"), str(port), str(level), USER, PASSWORD],
        stdout=subprocess.DEVNULL,
        timeout=30,
    )


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]


def clients():
    mosquitto = first_line("mosquitto_pub", "--version").split()[2]
    mqttjs = first_line("node", "-p", "require('mqtt/package.json').version")
    installed = importlib.metadata.version
    return [
        (f"paho-mqtt {installed('paho-mqtt')}", with_paho, (3, 4, 5)),
        (f"gmqtt {installed('gmqtt')}", with_gmqtt, (4, 5)),
        (f"mosquitto-clients {mosquitto}", with_mosquitto, (3, 4, 5)),
        (f"MQTT.js {mqttjs}", with_mqttjs, (3, 4, 5)),
    ]


# ---- Rows.


def packets(stream):
    """The whole packets in a stream: the first byte, and what follows the fixed header."""
    at = 0
    while at + 2 <= len(stream):
        length = shift = 0
        body = at + 1
        while True:
            byte = stream[body]
            length |= (byte & 0x7F) << shift
            shift += 7
            body += 1
            if byte < 0x80:
                break
        if body + length > len(stream):
            return
        yield stream[at], bytes(stream[body : body + length])
        at = body + length


def text_of(data):
    """What the notation shows in quotes, or None."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and not set(text) & set("'|") and text else None


def words(data):
    """Bytes for a reader: a string behind its length is shown as text."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        string = data[at + 2 : at + 2 + length]
        if len(string) == length > 1 and (text := text_of(string)):
            yield f"{length:04X}'{text}'"
            at += 2 + length
        else:
            yield f"{data[at]:02X}"
            at += 1


def notation(first, body, version):
    """The packet in the notation of the data files."""
    if not body:
        return f"{first:02X} 00"
    kind, parts = NAMES[first >> 4], []
    if kind == "PUBLISH":
        at = 2 + int.from_bytes(body[:2], "big")
        parts += words(body[:at])
        if first & 0b0110:
            parts.append(body[at : at + 2].hex().upper())
            at += 2
        if version == "5.0" and body[at] < 0x80:
            end = at + 1 + body[at]
            parts.append("{" + " ".join(words(body[at + 1 : end])) + "}")
            at = end
        payload = body[at:]
        text = text_of(payload)
        parts += [f"'{text}'"] if text else words(payload)
    elif kind in ("CONNECT", "CONNACK", "DISCONNECT", "AUTH"):
        parts += words(body)
    else:
        parts += [body[:2].hex().upper(), *words(body[2:])]
    return f"{first:02X}: {' '.join(parts).rstrip()}"


def shape(first, body):
    """What makes a packet one of its own: not which message it is about."""
    match NAMES[first >> 4]:
        case "CONNACK":
            return first, body[:2], len(body)
        case "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP" | "SUBACK" | "UNSUBACK":
            return first, body[2:]
        case "PUBLISH":
            return first, len(body) > 64
    return first, len(body)


def written(first, body, version):
    """How we write it: a packet of 5.0 without a reason code of 0 and without an empty list
    of properties at its end, a CONNACK of 3.1 with 0 in its reserved byte."""
    kind = first >> 4
    if version == "3.1" and kind == 2:
        body = b"\x00" + body[1:]
    least = 2 if kind in (4, 5, 6, 7) else 0
    if version == "5.0" and kind in (4, 5, 6, 7, 14):
        if len(body) == least + 2 and body[-1] == 0:
            body = body[:-1]
        if len(body) == least + 1 and body[-1] == 0:
            body = body[:-1]
    return body


def main():
    # What a client says about what a broker does is of no interest here.
    logging.disable(logging.CRITICAL)
    brokers = [argument.split("=") for argument in sys.argv[1:]]
    if not brokers:
        sys.exit(__doc__)
    seen, rows = {}, []
    for broker, address in brokers:
        host, port = address.split(":")
        for client, play, levels in clients():
            for level in levels:
                proxy = Proxy((host, int(port)))
                try:
                    play(proxy.port, level)
                except Exception as error:
                    print(f"{client} {LEVELS[level]} to {broker}: {error!r}", file=sys.stderr)
                time.sleep(0.2)
                for sent, answered in proxy.kept:
                    for stream, sender, receiver in (
                        (sent, client, broker),
                        (answered, broker, client),
                    ):
                        for first, body in packets(stream):
                            kind = NAMES[first >> 4]
                            of_kind = seen.setdefault((level, kind, sender), set())
                            its = shape(first, body)
                            if its in of_kind or len(of_kind) == ENOUGH:
                                continue
                            of_kind.add(its)
                            rows.append((first >> 4, level, sender, receiver, first, body))
    print("# Packets of real clients and brokers, taken from the wire: not a byte is made up.")
    print("#")
    print("# Written by ../capture/capture.py. The notation is that of valid.txt.")
    rows.sort(key=lambda row: row[:3])
    last = None
    for kind, level, sender, receiver, first, body in rows:
        if kind != last:
            print(f"\n# {NAMES[kind]}")
            last = kind
        version = LEVELS[level]
        row = f"{version} | {notation(first, body, version)} | {sender} to {receiver}"
        if (ours := written(first, body, version)) != body:
            row += f" | {notation(first, ours, version)}"
        print(row)
    os._exit(0)  # The threads of the proxies are still there.


main()
