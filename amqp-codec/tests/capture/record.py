"""Records what real AMQP clients and RabbitMQ say to each other, as the rows of
tests/data/captured.txt.

    python tests/capture/record.py HOST:PORT --node DIRECTORY \
        [--server-only 'COMMAND' --server-only-undo 'COMMAND'] >tests/data/captured.txt

Between the clients and the RabbitMQ at HOST:PORT it puts a proxy that passes
every byte on and looks at the frames. The clients are pika (of the Python that
runs this), amqplib (in DIRECTORY/node_modules, with node) and amqp-tools of
librabbitmq. Of each client, and of RabbitMQ to each client, the first frame of
every method and of every set of properties is a row: who said it, what pika's
decoder reads in it (none of this crate), and the bytes of the whole frame.

The two commands make RabbitMQ block publishers and stop doing so (as
`rabbitmqctl set_vm_memory_high_watermark 0.0000001` and `... 0.4`): without
them there is no connection.blocked.
"""

import argparse
import datetime
import decimal
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import pika
import pika.data
import pika.frame
import pika.spec

HERE = pathlib.Path(__file__).resolve().parent
RESERVED = {"ticket", "known_hosts", "capabilities", "insist", "out_of_band", "channel_id"}
# And where that name is reserved, or is not.
RESERVED_IN = {("Basic.GetEmpty", "cluster_id")}
NOT_RESERVED_IN = {("Access.RequestOk", "ticket")}
SECRET = {"response", "challenge", "new_secret"}
LONG = {"mechanisms", "locales"}
NAMES = {"nowait": "no_wait", "global_qos": "global"}


class UpdateSecret(pika.spec.Connection.UpdateSecret):
    """pika only sends this one: its decoder has no defaults, and its first field the wrong name."""

    def __init__(self):
        super().__init__("", "")

    def decode(self, encoded, offset=0):
        super().decode(encoded, offset)
        self.new_secret = self.__dict__.pop("mechanisms")
        return self


pika.spec.methods[UpdateSecret.INDEX] = UpdateSecret


def decode_value(encoded, offset, decode=pika.data.decode_value):
    """pika's, with fractions."""
    fraction = {b"f": ">f", b"d": ">d"}.get(encoded[offset : offset + 1])
    if fraction is None:
        return decode(encoded, offset)
    return struct.unpack_from(fraction, encoded, offset + 1)[0], offset + 1 + struct.calcsize(fraction)


pika.data.decode_value = decode_value


def show(value):
    """A field value as this crate's logs show it."""
    if value is None:
        return "void"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        sign, digits, exponent = value.as_tuple()
        return f"{'-' if sign else ''}{int(''.join(map(str, digits)))}e-{-exponent}"
    if isinstance(value, datetime.datetime):
        return f"@{int(value.timestamp())}"
    if isinstance(value, str):
        return long_string(value.encode())
    if isinstance(value, bytes):
        return "b" + long_string(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    return "{" + ", ".join(f"{long_string(k.encode())}: {show(v)}" for k, v in value.items()) + "}"


def long_string(octets):
    plain = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}
    return '"' + "".join(plain.get(o) or (chr(o) if 0x20 <= o < 0x7F else f"\\x{o:02x}") for o in octets) + '"'


def field(name, value):
    if name in SECRET:
        return f"<{len(value)} bytes>"
    if name in LONG:
        return long_string(value if isinstance(value, bytes) else value.encode())
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "{}" if value is None else show(value)


def dashed(camel):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", camel).lower()


def show_method(method):
    names = list(method.__dict__)
    shown = "".join(
        f" {NAMES.get(name, name)}={field(name, getattr(method, name))}"
        for name in names
        if (name not in RESERVED or (method.NAME, name) in NOT_RESERVED_IN) and (method.NAME, name) not in RESERVED_IN
    )
    return ".".join(map(dashed, method.NAME.split("."))) + shown


def show_properties(properties):
    renamed = {"cluster_id": "reserved"}
    return " ".join(
        f"{renamed.get(name, name)}={field(name, value)}"
        for name, value in properties.__dict__.items()
        if value is not None
    )


class Recorder:
    """The rows, each once."""

    def __init__(self):
        self.rows = []
        self.seen = set()
        self.lock = threading.Lock()

    def frame(self, who, octets):
        length, frame = pika.frame.decode_frame(octets)
        if length == 0:
            return 0
        octets = octets[:length]
        if isinstance(frame, pika.frame.Method):
            key, shown = frame.method.NAME, show_method(frame.method)
        elif isinstance(frame, pika.frame.Header):
            shown = show_properties(frame.properties)
            key = tuple(name for name, value in frame.properties.__dict__.items() if value is not None)
            shown = f"header body_size={frame.body_size} {shown}".strip()
        else:
            return length
        with self.lock:
            if (who, key) not in self.seen:
                self.seen.add((who, key))
                self.rows.append(f"{who} | {shown} | {octets.hex()}")
        return length


class Proxy:
    """Passes connections of one client on."""

    def __init__(self, recorder, client, broker):
        self.recorder, self.client, self.broker = recorder, client, broker
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.broker)
            for source, sink, who, skip in (
                (near, far, self.client, 8),  # the protocol header
                (far, near, f"RabbitMQ to {self.client}", 0),
            ):
                threading.Thread(target=self.passes, args=(source, sink, who, skip), daemon=True).start()

    def passes(self, source, sink, who, skip):
        waiting = b""
        try:
            while octets := source.recv(65536):
                sink.sendall(octets)
                waiting += octets
                if skip and len(waiting) >= skip:
                    waiting, skip = waiting[skip:], 0
                while not skip and waiting and (taken := self.recorder.frame(who, waiting)):
                    waiting = waiting[taken:]
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one side is gone, so the other is told
            source.close()
            sink.close()


EVERY_PROPERTY = dict(
    content_type="application/json",
    content_encoding="gzip",
    headers={
        "bool": True,
        "int": -2,
        "long": 2**40,
        "decimal": decimal.Decimal("3.14"),
        "when": datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc),
        "none": None,
        "octets": b"\x00\xff",
        "list": [1, "two", [3]],
        "table": {"inner": {"deep": 1}},
        "text": "plain",
    },
    delivery_mode=2,
    priority=5,
    correlation_id="c1",
    reply_to="r1",
    expiration="60000",
    message_id="m1",
    timestamp=1700000000,
    type="t1",
    user_id="guest",
    app_id="a1",
    cluster_id="k1",
)


def with_pika(port, block, unblock):
    """Everything that pika can say; what it has no call for is sent as a method of its table."""
    parameters = pika.ConnectionParameters("127.0.0.1", port, blocked_connection_timeout=60)
    connection = pika.BlockingConnection(parameters)
    ch = connection.channel()

    def raw(method, replies):
        answered = []
        # pylint: disable=protected-access
        ch._impl._rpc(method, answered.append, replies)
        while not answered:
            connection.process_data_events(time_limit=0.1)

    raw(pika.spec.Access.Request("/data", True, False, True, False, True), [pika.spec.Access.RequestOk])
    raw(pika.spec.Channel.Flow(True), [pika.spec.Channel.FlowOk])
    ch.exchange_declare("capture.a", "topic", durable=True, auto_delete=True, arguments={"alternate-exchange": "amq.fanout"})
    ch.exchange_declare("capture.b", "fanout", internal=True)
    ch.exchange_bind("capture.b", "capture.a", "k.#", {"n": 1})
    ch.queue_declare("capture", exclusive=True, arguments={"x-max-length": 3, "x-overflow": "reject-publish"})
    ch.queue_bind("capture", "capture.a", "k", {"x": "y"})
    ch.queue_unbind("capture", "capture.a", "k", {"x": "y"})
    ch.exchange_unbind("capture.b", "capture.a", "k.#", {"n": 1})  # it goes with its last binding
    ch.basic_qos(prefetch_count=7, global_qos=True)
    ch.basic_get("capture")
    for name, value in EVERY_PROPERTY.items():
        ch.basic_publish("", "capture", b"one", pika.BasicProperties(**{name: value}))
        ch.basic_get("capture", auto_ack=True)
    ch.basic_publish("", "capture", b"all", pika.BasicProperties(**EVERY_PROPERTY))
    ch.basic_ack(ch.basic_get("capture")[0].delivery_tag, multiple=True)
    for settle in (ch.basic_nack, ch.basic_reject):
        ch.basic_publish("", "capture", b"no")
        settle(ch.basic_get("capture")[0].delivery_tag, requeue=False)
    ch.basic_recover(requeue=True)
    ch._impl._send_method(pika.spec.Basic.RecoverAsync(True))  # pylint: disable=protected-access
    ch.basic_consume("capture", lambda *_: None, consumer_tag="tag", auto_ack=True, exclusive=True, arguments={"x-priority": 5})
    ch.basic_publish("", "capture", b"delivered")
    connection.process_data_events(time_limit=0.5)
    ch.basic_cancel("tag")
    ch.queue_purge("capture")

    confirmed = connection.channel()
    confirmed.confirm_delivery()
    for _ in range(4):  # the fourth is refused
        try:
            confirmed.basic_publish("", "capture", b"x")
        except pika.exceptions.NackError:
            pass
    try:
        confirmed.basic_publish("amq.topic", "nowhere", b"back", mandatory=True)
    except pika.exceptions.UnroutableError:
        pass
    confirmed.close()

    tx = connection.channel()
    tx.tx_select()
    tx.tx_commit()
    tx.tx_rollback()

    # The server's own cancel and close.
    tx.queue_declare("capture.gone", auto_delete=True)
    tx.basic_consume("capture.gone", lambda *_: None, consumer_tag="gone")
    connection.channel().queue_delete("capture.gone", if_unused=False, if_empty=False)
    connection.process_data_events(time_limit=0.3)
    try:
        connection.channel().queue_declare("no such queue", passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        pass
    ch.exchange_delete("capture.b", if_unused=True)

    connection.update_secret("guest", "rotated")
    if block:
        subprocess.run(block, shell=True, check=True, stdout=subprocess.DEVNULL)
        ch.basic_publish("", "capture", b"blocks")
        connection.process_data_events(time_limit=1)
        subprocess.run(unblock, shell=True, check=True, stdout=subprocess.DEVNULL)
        connection.process_data_events(time_limit=1)
    connection.close()

    # A connection that the server closes.
    doomed = pika.BlockingConnection(parameters)
    try:
        doomed.channel().exchange_declare("capture.c", "no such type")
    except pika.exceptions.ConnectionClosedByBroker:
        pass


def with_amqp_tools(port):
    url = f"amqp://guest:guest@127.0.0.1:{port}"

    def tool(name, *arguments):
        subprocess.run([name, "-u", url, *arguments], check=False, timeout=10, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    tool("amqp-declare-queue", "-d", "-q", "capture.tools")
    tool("amqp-publish", "-r", "capture.tools", "-C", "text/plain", "-E", "gzip", "-p", "-b", "hello", "-t", "reply", "-e", "capture.tools")
    tool("amqp-publish", "-r", "capture.tools", "-p", "-C", "text/plain", "-b", "hello")
    tool("amqp-publish", "-r", "capture.tools", "-H", "name: value", "-b", "hello")
    tool("amqp-get", "-q", "capture.tools")
    tool("amqp-consume", "-q", "capture.tools", "-c", "1", "-p", "1", "cat")
    tool("amqp-get", "-q", "no such queue")
    tool("amqp-get", "-q", "capture.tools")
    tool("amqp-get", "-q", "capture.tools")
    tool("amqp-delete-queue", "-q", "capture.tools")


def version(command, pattern):
    said = subprocess.run(command, shell=True, capture_output=True, text=True).stdout
    found = re.search(pattern, said)
    return found.group(1) if found else "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker", metavar="HOST:PORT")
    parser.add_argument("--node", required=True, metavar="DIRECTORY", type=pathlib.Path)
    parser.add_argument("--server-only", metavar="COMMAND", default="")
    parser.add_argument("--server-only-undo", metavar="COMMAND", default="true")
    given = parser.parse_args()
    host, _, port = given.broker.rpartition(":")
    broker = (host, int(port))
    recorder = Recorder()

    with_pika(Proxy(recorder, "pika", broker).port, given.server_only, given.server_only_undo)
    script = (HERE / "exercise.mjs").read_text()
    proxy = Proxy(recorder, "amqplib", broker)
    subprocess.run(["node", "--input-type=module", "-", str(proxy.port)], input=script, text=True, cwd=given.node, check=True)
    with_amqp_tools(Proxy(recorder, "amqp-tools", broker).port)
    time.sleep(0.5)

    server = next(row for row in recorder.rows if "connection.start " in row)
    rabbitmq = re.search(r'"version": "([^"]*)"', server).group(1)
    amqplib = version(f"cat {given.node}/node_modules/amqplib/package.json", r'"version": "([^"]*)"')
    tools = version("amqp-get --version; dpkg-query -W -f 'amqp-tools ${Version}' amqp-tools", r"amqp-tools (\S+)")
    print(
        f"""# Frames of real clients and of RabbitMQ, recorded by tests/capture/record.py on loopback:
# pika {pika.__version__}, amqplib {amqplib}, amqp-tools {tools}, RabbitMQ {rabbitmq}.
#
# who sent it | what pika's decoder reads in it, without the reserved fields | the frame's bytes
#
# pika has no call for access.request, channel.flow and basic.recover-async: it was
# given the method of its own table to encode and send."""
    )
    print("\n".join(recorder.rows))


if __name__ == "__main__":
    sys.exit(main())
