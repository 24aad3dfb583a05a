"""Mosquitto as a bridge to the server, with the defaults of its bridges, and over TLS.

A bridge tries the private version 0x84 or 0x83 first, and falls back to the public one when
that is refused in the words of 3.1.1.
"""

import os
import pathlib
import queue
import shutil
import socket
import subprocess
import tempfile
import time

import paho.mqtt.client as mqtt
from checks import HOST, MQTT_PORT, Checks, equal, unique

check = Checks("mosquitto bridge")
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client(port, topic=None):
    """A connected client, and what comes under the topic."""
    received, ready = queue.Queue(), queue.Queue()
    connected = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    connected.on_connect = lambda *_: connected.subscribe(topic, qos=2) if topic else ready.put(True)
    connected.on_subscribe = lambda *_: ready.put(True)
    connected.on_message = lambda _client, _data, message: received.put(message.payload)
    for _ in range(100):
        try:
            connected.connect("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    connected.loop_start()
    ready.get(timeout=10)
    return connected, received


def bridge(lines):
    """Runs Mosquitto with these lines in its bridge; messages pass in both directions."""
    port, name = free_port(), unique("bridge")
    with tempfile.TemporaryDirectory() as directory:
        settings = pathlib.Path(directory) / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"connection {name}\ntopic {name}/# both 2\nrestart_timeout 1\n" + "\n".join(lines) + "\n"
        )
        process = subprocess.Popen([MOSQUITTO, "-c", str(settings)], stderr=subprocess.DEVNULL)
        try:
            for here, there in ((port, MQTT_PORT), (MQTT_PORT, port)):
                listener, received = client(there, f"{name}/{here}")
                speaker, _ = client(here)
                # Until the bridge stands, what is said at one end stays there.
                for _ in range(100):
                    speaker.publish(f"{name}/{here}", b"over the bridge", qos=2)
                    try:
                        equal(received.get(timeout=0.1), b"over the bridge")
                        break
                    except queue.Empty:
                        pass
                else:
                    raise AssertionError(f"nothing came from {here} to {there}")
                listener.disconnect()
                speaker.disconnect()
        finally:
            process.terminate()
            process.wait()


@check("with its defaults")
def _():
    bridge([f"address {HOST}:{MQTT_PORT}"])


for version in ("mqttv31", "mqttv311", "mqttv50"):

    @check(version)
    def _(version=version):
        bridge([f"address {HOST}:{MQTT_PORT}", f"bridge_protocol_version {version}"])


if "MQ_ANY_PORT" in os.environ:

    @check("over TLS")
    def _():
        certificate = os.environ["MQ_CERTIFICATE"]
        bridge([f"address localhost:{os.environ['MQ_ANY_PORT']}", f"bridge_cafile {certificate}"])


check.run()
