"""paho-mqtt, the Python client for MQTT 3.1, 3.1.1 and 5.0."""

import contextlib
import queue
import socket
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from checks import HOST, MQTT_PORT, Checks, equal, unique

check = Checks("paho-mqtt")

V31, V311, V5 = paho.MQTTv31, paho.MQTTv311, paho.MQTTv5
NAMES = {V31: "3.1", V311: "3.1.1", V5: "5.0"}


class Refused(Exception):
    """The CONNACK said no; the argument is the reason."""


class Client:
    """A paho client whose callbacks are turned into queues to wait on."""

    def __init__(self, version, client_id=None, clean=True, user=None, password=None, will=None):
        self.version = version
        if client_id is None:
            client_id = unique("paho")[-23:]
        more = {} if version == V5 else {"clean_session": clean}
        self.paho = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id, protocol=version,
            reconnect_on_failure=False, **more
        )
        self.clean = clean
        if user:
            self.paho.username_pw_set(user, password)
        if will:
            self.paho.will_set(*will)
        self.connack, self.messages = queue.Queue(), queue.Queue()
        self.subacks, self.unsubacks = queue.Queue(), queue.Queue()
        self.gone = queue.Queue()
        self.paho.on_connect = lambda _c, _u, flags, reason, props: self.connack.put(
            (flags, reason, props)
        )
        self.paho.on_message = lambda _c, _u, message: self.messages.put(message)
        self.paho.on_subscribe = lambda _c, _u, _m, reasons, _p: self.subacks.put(
            [r.value for r in reasons]
        )
        self.paho.on_unsubscribe = lambda _c, _u, _m, reasons, _p: self.unsubacks.put(
            [r.value for r in reasons]
        )
        self.paho.on_disconnect = lambda _c, _u, _f, reason, _p: self.gone.put(reason)

    def connect(self, keepalive=60, properties=None):
        more = {}
        if self.version == V5:
            more = {"clean_start": self.clean, "properties": properties}
        self.paho.connect(HOST, MQTT_PORT, keepalive, **more)
        self.paho.loop_start()
        flags, reason, self.properties = self.connack.get(timeout=10)
        if reason.is_failure:
            self.close()
            raise Refused(reason)
        self.session_present = flags.session_present
        return self

    def subscribe(self, topic, qos=0, **more):
        self.paho.subscribe(topic, qos, **more)
        return self.subacks.get(timeout=10)

    def unsubscribe(self, topic):
        self.paho.unsubscribe(topic)
        return self.unsubacks.get(timeout=10)

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        """Returns when the acknowledgement, if there is one, has come."""
        info = self.paho.publish(topic, payload, qos, retain, properties)
        info.wait_for_publish(timeout=10)
        assert info.is_published(), "not acknowledged"

    def next(self, seconds=10):
        return self.messages.get(timeout=seconds)

    def payloads(self, count, quiet=0.3):
        """`count` messages, and then none for a while."""
        got = [self.next().payload for _ in range(count)]
        self.expect_nothing(quiet)
        return got

    def expect_nothing(self, seconds=0.3):
        with contextlib.suppress(queue.Empty):
            message = self.messages.get(timeout=seconds)
            raise AssertionError(f"came uninvited: {message.topic} {message.payload!r}")

    def vanish(self):
        """Without a DISCONNECT, as by a cut cable."""
        self.paho.loop_stop()
        self.paho.socket().shutdown(socket.SHUT_RDWR)
        self.paho.socket().close()

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()

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
            check(f"{NAMES[version]}: {name}")(lambda version=version: function(version))

    return add


EVERY = (V31, V311, V5)
NEWER = (V311, V5)


@for_versions(EVERY, "QoS 0, 1 and 2, published and consumed with acknowledgement")
def _(version):
    with connected(version) as sub, connected(version) as pub:
        topic = unique("qos")
        equal(sub.subscribe(topic, 2), [2])
        for qos in (0, 1, 2):
            pub.publish(topic, b"at %d" % qos, qos)
            message = sub.next()
            equal((message.payload, message.qos, message.retain), (b"at %d" % qos, qos, False))
            equal(message.topic, topic)
        sub.expect_nothing()


@for_versions(NEWER, "the lower QoS of publication and subscription counts")
def _(version):
    with connected(version) as sub, connected(version) as pub:
        for granted in (0, 1, 2):
            topic = unique("lower")
            equal(sub.subscribe(topic, granted), [granted])
            for qos in (0, 1, 2):
                pub.publish(topic, b"", qos)
                equal(sub.next().qos, min(qos, granted))


@for_versions(NEWER, "wildcards")
def _(version):
    base = unique("wild")
    table = [
        (f"{base}/+", ["a"], ["a/b"]),
        (f"{base}/#", ["a", "a/b"], []),
        (f"{base}/+/c", ["a/c", "b/c"], ["a", "c"]),
    ]
    with connected(version) as pub:
        for pattern, matching, others in table:
            with connected(version) as sub:
                sub.subscribe(pattern, 1)
                for end in matching + others:
                    pub.publish(f"{base}/{end}", end, 1)
                got = sorted(sub.payloads(len(matching)))
                equal(got, sorted(end.encode() for end in matching))


@for_versions(NEWER, "several filters in one SUBSCRIBE")
def _(version):
    with connected(version) as sub, connected(version) as pub:
        one, two = unique("one"), unique("two")
        sub.paho.subscribe([(one, 0), (two, 1)])
        equal(sub.subacks.get(timeout=10), [0, 1])
        pub.publish(one, b"1", 1)
        pub.publish(two, b"2", 1)
        equal([(m.payload, m.qos) for m in (sub.next(), sub.next())], [(b"1", 0), (b"2", 1)])


@for_versions(NEWER, "unsubscribe")
def _(version):
    with connected(version) as sub, connected(version) as pub:
        topic = unique("unsubscribe")
        sub.subscribe(topic, 1)
        reasons = sub.unsubscribe(topic)
        if version == V5:
            equal(reasons, [0])
            equal(sub.unsubscribe(topic), [0x11])
        pub.publish(topic, b"too late", 1)
        sub.expect_nothing()


@for_versions(NEWER, "a retained message meets later subscribers, until it is cleared")
def _(version):
    with connected(version) as pub, connected(version) as early:
        topic = unique("retained")
        early.subscribe(topic, 1)
        pub.publish(topic, b"first", 1, retain=True)
        pub.publish(topic, b"kept", 1, retain=True)
        equal([early.next().retain for _ in range(2)], [False, False])
        with connected(version) as late:
            late.subscribe(topic, 1)
            message = late.next()
            equal((message.payload, message.retain, message.qos), (b"kept", True, 1))
            late.expect_nothing()
        pub.publish(topic, b"", 1, retain=True)
        with connected(version) as later:
            later.subscribe(topic, 1)
            later.expect_nothing()


@for_versions(NEWER, "the will is published when the client vanishes, not when it leaves")
def _(version):
    with connected(version) as sub:
        topic = unique("will")
        sub.subscribe(topic, 1)
        connected(version, will=(topic, b"left", 1)).close()
        sub.expect_nothing()
        connected(version, will=(topic, b"vanished", 1)).vanish()
        equal(sub.next().payload, b"vanished")


@for_versions(NEWER, "a retained will")
def _(version):
    with connected(version) as sub:
        topic = unique("will")
        sub.subscribe(topic, 1)
        connected(version, will=(topic, b"vanished", 1, True)).vanish()
        equal(sub.next().payload, b"vanished")
        with connected(version) as late:
            late.subscribe(topic)
            message = late.next()
            equal((message.payload, message.retain), (b"vanished", True))
        sub.publish(topic, b"", 1, retain=True)


def keep_session(version):
    if version != V5:
        return None
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 300
    return properties


@for_versions(NEWER, "a session is resumed with what came meanwhile")
def _(version):
    client_id, topic = unique("session")[-23:], unique("session")
    first = Client(version, client_id, clean=False).connect(properties=keep_session(version))
    equal(first.session_present, False)
    first.subscribe(topic, 2)
    first.close()
    with connected(version) as pub:
        for qos in (1, 2):
            pub.publish(topic, b"meanwhile %d" % qos, qos)
    again = Client(version, client_id, clean=False).connect(properties=keep_session(version))
    equal(again.session_present, True)
    equal(again.payloads(2), [b"meanwhile 1", b"meanwhile 2"])
    again.close()
    # And a clean session forgets it all.
    with connected(version, client_id=client_id) as clean:
        equal(clean.session_present, False)
        with connected(version) as pub:
            pub.publish(topic, b"forgotten", 1)
        clean.expect_nothing()


@for_versions(NEWER, "a second connection with the same identifier takes over")
def _(version):
    client_id = unique("taken")[-23:]
    first = connected(version, client_id=client_id)
    with connected(version, client_id=client_id):
        reason = first.gone.get(timeout=10)
        if version == V5:
            equal(reason.value, 0x8E)
        first.paho.loop_stop()


@for_versions(EVERY, "an idle connection is kept by pings, at one second")
def _(version):
    with Client(version).connect(keepalive=1) as client:
        time.sleep(3.5)
        assert client.gone.empty(), "disconnected"
        topic = unique("idle")
        client.subscribe(topic, 1)
        client.publish(topic, b"alive", 1)
        equal(client.next().payload, b"alive")


@for_versions(NEWER, "user and password, right and wrong")
def _(version):
    connected(version, user="guest", password="guest").close()
    try:
        connected(version, user="guest", password="wrong").close()
    except Refused as refused:
        equal(str(refused.args[0]) in ("Not authorized", "Bad user name or password"), True)
    else:
        raise AssertionError("the wrong password was let in")


@for_versions(NEWER, "order within a burst of 500 at QoS 1, and 1 MiB in one message")
def _(version):
    with connected(version) as sub, connected(version) as pub:
        topic = unique("burst")
        sub.subscribe(topic, 1)
        infos = [pub.paho.publish(topic, b"%d" % i, 1) for i in range(500)]
        for info in infos:
            info.wait_for_publish(10)
        equal(sub.payloads(500), [b"%d" % i for i in range(500)])
        pub.publish(topic, b"x" * 1_048_576, 1)
        equal(len(sub.next().payload), 1_048_576)


@check("5.0: the properties of a message come through")
def _():
    with connected(V5) as sub, connected(V5) as pub:
        topic = unique("properties")
        sub.subscribe(topic, 1)
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = "application/json"
        properties.ResponseTopic = "answer/here"
        properties.CorrelationData = b"\x00\x01"
        properties.PayloadFormatIndicator = 1
        properties.MessageExpiryInterval = 60
        properties.UserProperty = [("key", "one"), ("key", "two")]
        pub.publish(topic, b"{}", 1, properties=properties)
        got = sub.next().properties
        equal(got.ContentType, "application/json")
        equal(got.ResponseTopic, "answer/here")
        equal(got.CorrelationData, b"\x00\x01")
        equal(got.PayloadFormatIndicator, 1)
        assert got.MessageExpiryInterval in (59, 60), got.MessageExpiryInterval
        equal(got.UserProperty, [("key", "one"), ("key", "two")])


@check("5.0: topic alias from the client")
def _():
    with connected(V5) as sub, connected(V5) as pub:
        if not getattr(pub.properties, "TopicAliasMaximum", 0):
            raise AssertionError("the server takes no topic aliases")
        topic = unique("alias")
        sub.subscribe(topic, 1)
        for name, payload in ((topic, b"named"), ("", b"aliased")):
            properties = Properties(PacketTypes.PUBLISH)
            properties.TopicAlias = 1
            pub.publish(name, payload, 1, properties=properties)
        equal([(m.topic, m.payload) for m in (sub.next(), sub.next())],
              [(topic, b"named"), (topic, b"aliased")])


@check("5.0: no local, retain as published, retain handling")
def _():
    with connected(V5) as client:
        topic = unique("options")
        client.publish(topic, b"before", 1, retain=True)
        equal(client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True)), [1])
        message = client.next()
        equal((message.payload, message.retain), (b"before", True))
        client.publish(topic, b"own", 1)
        client.expect_nothing()
        with connected(V5) as other:
            options = SubscribeOptions(
                qos=1, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND
            )
            other.subscribe(topic, options=options)
            other.expect_nothing()
            client.publish(topic, b"after", 1, retain=True)
            message = other.next()
            equal((message.payload, message.retain), (b"after", True))
        client.publish(topic, b"", 1, retain=True)


@check("5.0: subscription identifier")
def _():
    with connected(V5) as client:
        topic = unique("identifier")
        properties = Properties(PacketTypes.SUBSCRIBE)
        properties.SubscriptionIdentifier = 77
        client.subscribe(topic, options=SubscribeOptions(qos=1), properties=properties)
        client.publish(topic, b"", 1)
        equal(client.next().properties.SubscriptionIdentifier, [77])


@check("5.0: a shared subscription divides the messages")
def _():
    with connected(V5) as one, connected(V5) as two, connected(V5) as pub:
        topic = unique("shared")
        for member in (one, two):
            equal(member.subscribe(f"$share/group/{topic}", 1), [1])
        for i in range(10):
            pub.publish(topic, b"%d" % i, 1)
        time.sleep(0.5)
        counts = one.messages.qsize(), two.messages.qsize()
        equal(sum(counts), 10)
        assert min(counts) > 0, f"all went to one member: {counts}"


@check("5.0: the server gives a client its identifier")
def _():
    with connected(V5, client_id="") as client:
        assert client.properties.AssignedClientIdentifier


@check("5.0: a message that expires before it is taken is not delivered")
def _():
    client_id, topic = unique("expiry")[-23:], unique("expiry")
    first = Client(V5, client_id, clean=False).connect(properties=keep_session(V5))
    first.subscribe(topic, 1)
    first.close()
    with connected(V5) as pub:
        properties = Properties(PacketTypes.PUBLISH)
        properties.MessageExpiryInterval = 1
        pub.publish(topic, b"short-lived", 1, properties=properties)
        pub.publish(topic, b"lasting", 1)
    time.sleep(2.2)
    with Client(V5, client_id, clean=False).connect(properties=keep_session(V5)) as again:
        equal(again.payloads(1), [b"lasting"])


@check("5.0: a session that has expired is gone")
def _():
    client_id = unique("expired")[-23:]
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 1
    Client(V5, client_id, clean=False).connect(properties=properties).close()
    time.sleep(2.2)
    with Client(V5, client_id, clean=False).connect(properties=keep_session(V5)) as again:
        equal(again.session_present, False)


@check("5.0: a will with a delay waits for the session to come back")
def _():
    topic, client_id = unique("delay"), unique("delay")[-23:]
    with connected(V5) as sub:
        sub.subscribe(topic, 1)
        delay = Properties(PacketTypes.WILLMESSAGE)
        delay.WillDelayInterval = 2
        client = Client(V5, client_id, clean=False, will=(topic, b"too late", 1, False, delay))
        client.connect(properties=keep_session(V5)).vanish()
        sub.expect_nothing(0.5)
        with Client(V5, client_id, clean=False).connect(properties=keep_session(V5)) as again:
            equal(again.session_present, True)
            sub.expect_nothing(2.5)


@for_versions(EVERY, "$SYS has what Mosquitto has")
def _(version):
    with connected(version) as client:
        client.subscribe("$SYS/broker/clients/#", 0)
        names = {client.next().topic.rsplit("/", 1)[-1] for _ in range(7)}
        expected = "total connected active disconnected inactive maximum expired"
        equal(names, set(expected.split()))


@check("5.0: no method but the server's")
def _():
    properties = Properties(PacketTypes.CONNECT)
    properties.AuthenticationMethod = "GS2-KRB5"
    try:
        Client(V5).connect(properties=properties)
    except Refused as refused:
        equal(refused.args[0].value, 0x8C)
    else:
        raise AssertionError("it was let in")


if __name__ == "__main__":
    check.run()
