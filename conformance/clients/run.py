#!/usr/bin/env python3
"""What clients in wide use do when a broker misbehaves.

    conformance/clients/run.py MQSPEC [CLIENT [FAULT..]]

Starts `mqspec serve PROTOCOL FAULT` for each fault, lets a client connect, subscribe, publish
and take a message, and prints a table in Markdown: the fault, what a good client does, and
what this one did. A client gets TIMEOUT seconds, and is ended then.

The clients are paho-mqtt, pika and stomp.py, at the versions in
mq-server/interop/requirements.txt, in the Python that runs this, and lapin and rumqttc, where
conformance/clients has been built: SERVE_CLIENTS names its binary.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time

TIMEOUT = 20


def mqtt(port):
    import paho.mqtt.client as paho

    heard, said = threading.Event(), []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="mqspec", protocol=paho.MQTTv311)
    client.on_message = lambda *_: (said.append("takes a message"), heard.set())
    client.on_connect = lambda _c, _u, _f, reason, _p: said.append(f"on_connect {reason}")
    client.on_disconnect = lambda _c, _u, _f, reason, _p: said.append(f"on_disconnect {reason}")
    client.on_subscribe = lambda _c, _u, _m, codes, _p: said.append(f"on_subscribe {codes[0]}")
    client.connect("127.0.0.1", port, keepalive=2)
    client.loop_start()
    client.subscribe("mqspec", 2)
    time.sleep(0.3)
    for qos in (0, 1, 2):
        message = client.publish("mqspec", f"{qos}", qos)
        message.wait_for_publish(2)
        if not message.is_published():
            said.append(f"QoS {qos} is not published")
    heard.wait(3)
    time.sleep(7)
    client.unsubscribe("mqspec")
    time.sleep(0.3)
    client.disconnect()
    client.loop_stop()
    return said


def amqp(port):
    import pika

    said = []
    parameters = pika.ConnectionParameters("127.0.0.1", port, blocked_connection_timeout=5)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"body")
    said.append("the message is confirmed")
    for method, _, body in channel.consume(queue, inactivity_timeout=3):
        if method is None:
            said.append("no message")
        else:
            said.append(f"takes {body!r}, tag {method.delivery_tag}")
            channel.basic_ack(method.delivery_tag)
        break
    connection.sleep(12)
    connection.close()
    return said


def stomp(port):
    import stomp as library

    said = []

    class Listener(library.ConnectionListener):
        def on_message(self, frame):
            said.append(f"takes {frame.body!r}")
            connection.ack(frame.headers.get("ack", ""))

        def on_error(self, frame):
            said.append(f"on_error {frame.body or frame.headers.get('message')}")

        def on_disconnected(self):
            said.append("on_disconnected")

        def on_heartbeat_timeout(self):
            said.append("on_heartbeat_timeout")

        def on_receipt(self, frame):
            said.append("on_receipt")

    connection = library.Connection12([("127.0.0.1", port)], heartbeats=(500, 500), timeout=5)
    connection.set_listener("", Listener())
    connection.connect("guest", "guest", wait=True)
    connection.subscribe("/queue/mqspec", id="1", ack="client-individual", receipt="s")
    time.sleep(0.3)
    connection.send("/queue/mqspec", "body", receipt="p")
    time.sleep(4)
    connection.disconnect(receipt="d")
    return said


RUST = os.environ.get("SERVE_CLIENTS")
# What each speaks, and its function here.
CLIENTS = {"pika": ("amqp", amqp), "paho-mqtt": ("mqtt", mqtt), "stomp.py": ("stomp", stomp)}
if RUST:
    CLIENTS |= {"lapin": ("amqp", None), "rumqttc": ("mqtt", None)}


def client(name, port):
    """The part that runs in a process of its own."""
    try:
        said = CLIENTS[name][1](int(port))
        print(json.dumps({"said": said, "end": "ends well"}))
    except BaseException as error:  # an exception of any kind is what is asked for
        text = str(error).split("\n")[0]
        print(json.dumps({"said": [], "end": f"raises {type(error).__name__} {text}".strip()}))


def faults(mqspec, protocol):
    text = subprocess.run([mqspec, "serve", protocol], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^(\S+)  \[.*\]\n    the broker (.*)\n    a good client (.*)$", text, re.M)
    return rows


def ask(mqspec, name, fault):
    protocol, function = CLIENTS[name]
    server = subprocess.Popen([mqspec, "serve", protocol, fault], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        events = []
        threading.Thread(target=lambda: events.extend(server.stdout), daemon=True).start()
        python = [sys.executable, __file__, "--client", name, str(port)]
        run = subprocess.Popen(
            python if function else [RUST, name, str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        try:
            out, trace = run.communicate(timeout=TIMEOUT)
            lines = out.strip().splitlines()
            found = json.loads(lines[-1]) if lines else {"said": [], "end": "is killed"}
        except subprocess.TimeoutExpired:
            run.kill()
            out, trace = run.communicate()
            found = {"said": [], "end": f"hangs for {TIMEOUT} s"}
        # What the server has to say of it comes a moment later.
        time.sleep(0.3)
        connections = len({number for e in events for number in re.findall(r" s  client (\d+): ", e)})
        if connections > 1:
            found["end"] += f", {connections} connections"
        if not any("the fault, at" in event for event in events):
            found["end"] += "; the fault did not come about"
        if "Exception in thread" in trace:
            last = [line for line in trace.strip().splitlines() if line and not line.startswith(" ")][-1]
            found["end"] += f", and its thread dies of {last}"
        return found
    finally:
        server.terminate()
        server.wait()


def main():
    if not sys.argv[1:] or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    if sys.argv[1] == "--client":
        return client(sys.argv[2], sys.argv[3])
    mqspec = sys.argv[1]
    if sys.argv[2:] and sys.argv[2] not in CLIENTS:
        sys.exit(f"{sys.argv[2]} is none of {', '.join(CLIENTS)}")
    for name in sys.argv[2:3] or CLIENTS:
        print(f"\n## {name}\n\n| fault | a good client | this one |\n|---|---|---|")
        for fault, _, good in faults(mqspec, CLIENTS[name][0]):
            if sys.argv[3:] and fault not in sys.argv[3:]:
                continue
            found = ask(mqspec, name, fault)
            said = "; ".join([*dict.fromkeys(found["said"]), found["end"]])
            said = said[:300] + " .." if len(said) > 300 else said
            print(f"| `{fault}` | {good} | {said} |", flush=True)


if __name__ == "__main__":
    main()
