#!/usr/bin/env python3
"""Sends the bytes of every MUST that a report says is broken once more, and sees
whether the broker does the same again. None of it is mqspec's: the bytes go out as
the report has them, and what comes back is compared by length, first byte and end.

    replay.py REPORT HOST:PORT [CASE..]
"""

import json
import socket
import sys
import time

PATIENCE = 6.0
# What the judge sends goes out in the order of the report, so a broker has this long
# to send what the report has received before the next step.
STEP = 3.0


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.received = b""
        self.ended = False

    def read(self, seconds, enough):
        until = time.monotonic() + seconds
        while not self.ended and not enough(self) and (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
                self.received += data
                self.ended = not data
            except socket.timeout:
                break
            except OSError:
                self.ended = True

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass


def replay(case, address):
    """What each connection received and whether it ended: in the report, and now."""
    connections, then = {}, {}
    for event in case["transcript"]:
        number, text = event["connection"], event["text"]
        if number not in connections:
            connections[number] = Connection(address)
            then[number] = [b"", False]
        connection = connections[number]
        data = bytes.fromhex(event.get("bytes", ""))
        if event["direction"] == "sent":
            connection.send(data)
        elif event["direction"] == "received":
            then[number][0] += data
            wanted = len(then[number][0])
            connection.read(STEP, lambda c: len(c.received) >= wanted)
        elif text[0].startswith("the connection "):
            then[number][1] = True
            connection.read(STEP, lambda c: c.ended)
        elif text[0] == "closed our side":
            connection.socket.shutdown(socket.SHUT_WR)
    last = case["transcript"][-1]["connection"]
    # Silence, or what the judge did not want to see, stays what it is.
    connections[last].read(PATIENCE if "nothing" in case["seen"] else 0.5, lambda c: False)
    now = {number: [c.received, c.ended] for number, c in connections.items()}
    for connection in connections.values():
        connection.socket.close()
    return then, now


def same(then, now):
    """Whether both are alike: the last connection is the one that is judged, and the
    names in the bytes are the same, so that only identifiers of the broker's differ.
    What came on the others the judge may not have read to its end."""
    last = max(then)
    return all(
        (len(then[n][0]) == len(now[n][0]) if n == last else len(then[n][0]) <= len(now[n][0]))
        and then[n][0][:1] == now[n][0][:1]
        and then[n][1] <= now[n][1]
        for n in then
    )


def main():
    report, address, *only = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    with open(report) as file:
        cases = json.load(file)["cases"]
    broken = [
        case
        for case in cases
        if case["verdict"] == "fail" and case["level"] == "MUST" and (not only or case["id"] in only)
    ]
    confirmed = 0
    for case in broken:
        then, now = replay(case, (host, int(port)))
        again = same(then, now)
        confirmed += again
        print("again  " if again else "DIFFERS", case["id"])
        if not again:
            for number in then:
                print("   then", then[number][1], then[number][0].hex(" ")[:300])
                print("   now ", now[number][1], now[number][0].hex(" ")[:300])
    print(f"{confirmed} of {len(broken)} came again")
    return confirmed != len(broken)


if __name__ == "__main__":
    sys.exit(main())
