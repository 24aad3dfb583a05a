// @stomp/stompjs, the Node client for STOMP, over TCP by @stomp/tcp-wrapper.
import assert from "node:assert/strict";
import { Client, Versions } from "@stomp/stompjs";
import { TCPWrapper } from "@stomp/tcp-wrapper";
import { Checks, HOST, Inbox, STOMP_PORT, equal, sleep, unique } from "./checks.mjs";

const check = new Checks("stompjs");
const VERSIONS = ["1.0", "1.1", "1.2"];

/** A connected client, with its errors in an inbox. */
async function connect(closing, version, more = {}) {
  const connected = new Inbox();
  const errors = new Inbox();
  const gone = new Inbox();
  const client = new Client({
    webSocketFactory: () => new TCPWrapper(HOST, STOMP_PORT),
    stompVersions: new Versions([version]),
    connectHeaders: { login: "guest", passcode: "guest", host: "/" },
    reconnectDelay: 0,
    heartbeatIncoming: 0,
    heartbeatOutgoing: 0,
    // A socket gives bytes where a WebSocket gives messages.
    splitLargeFrames: false,
    onConnect: (frame) => connected.put(frame),
    onStompError: (frame) => {
      errors.put(frame);
      connected.put(frame);
    },
    onWebSocketClose: () => gone.put(true),
    ...more,
  });
  closing(() => client.deactivate({ force: true }));
  client.activate();
  const frame = await connected.next();
  if (frame.command === "ERROR") throw new Error(frame.headers.message);
  equal(frame.headers.version ?? "1.0", version);
  return { client, errors, gone };
}

function receipted(client, send) {
  const receipt = unique("receipt");
  return new Promise((resolve) => {
    client.watchForReceipt(receipt, resolve);
    send(receipt);
  });
}

async function subscribe(client, destination, headers = {}) {
  const inbox = new Inbox();
  let subscription;
  await receipted(client, (receipt) => {
    subscription = client.subscribe(destination, (message) => inbox.put(message), { ...headers, receipt });
  });
  return { inbox, subscription };
}

const send = (client, destination, body, headers = {}) =>
  receipted(client, (receipt) =>
    client.publish({ destination, headers: { ...headers, receipt }, ...(typeof body === "string" ? { body } : { binaryBody: body }) }),
  );

function forVersions(versions, name, run) {
  for (const version of versions) check.add(`${version}: ${name}`, (closing) => run(closing, version));
}

forVersions(VERSIONS, "send and subscribe, acknowledged automatically", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("auto")}`;
  const { inbox, subscription } = await subscribe(client, destination);
  await send(client, destination, "hello", { "content-type": "text/plain", "x-own": "kept" });
  const { body, headers } = await inbox.next();
  equal([body, headers.destination, headers.subscription], ["hello", destination, subscription.id]);
  equal([headers["content-type"], headers["x-own"]], ["text/plain", "kept"]);
});

forVersions(["1.1", "1.2"], "ack modes client and client-individual", async (closing, version) => {
  for (const [mode, left] of [["client", ["3"]], ["client-individual", ["0", "1", "3"]]]) {
    const destination = `/queue/${unique(mode)}`;
    const first = await connect(closing, version);
    for (let i = 0; i < 4; i++) await send(first.client, destination, `${i}`);
    const { inbox } = await subscribe(first.client, destination, { ack: mode });
    const messages = await inbox.take(4);
    await receipted(first.client, (receipt) => messages[2].ack({ receipt }));
    await first.client.deactivate();
    const second = await connect(closing, version);
    const rest = await subscribe(second.client, destination);
    equal((await rest.inbox.take(left.length)).map((m) => m.body), left);
    await rest.inbox.expectNothing();
  }
});

forVersions(["1.1", "1.2"], "NACK", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("nack")}`;
  const { inbox } = await subscribe(client, destination, { ack: "client-individual" });
  await send(client, destination, "unwanted");
  (await inbox.next()).nack({ requeue: "true" });
  (await inbox.next()).ack();
  await inbox.expectNothing();
});

forVersions(VERSIONS, "transactions: commit and abort", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("transaction")}`;
  const { inbox } = await subscribe(client, destination);
  for (const [end, bodies] of [["abort", []], ["commit", ["one", "two"]]]) {
    const transaction = client.begin();
    for (const body of ["one", "two"]) {
      client.publish({ destination, body, headers: { transaction: transaction.id } });
    }
    await inbox.expectNothing(0.2);
    transaction[end]();
    equal((await inbox.take(bodies.length)).map((m) => m.body), bodies);
    await inbox.expectNothing(0.2);
  }
});

forVersions(["1.1", "1.2"], "an acknowledgement in a transaction", async (closing, version) => {
  const destination = `/queue/${unique("transaction")}`;
  const first = await connect(closing, version);
  await send(first.client, destination, "once");
  const { inbox } = await subscribe(first.client, destination, { ack: "client" });
  const transaction = first.client.begin();
  (await inbox.next()).ack({ transaction: transaction.id });
  transaction.commit();
  await first.client.deactivate();
  const second = await connect(closing, version);
  await (await subscribe(second.client, destination)).inbox.expectNothing();
});

forVersions(VERSIONS, "a receipt for every kind of frame", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("receipt")}`;
  const { inbox, subscription } = await subscribe(client, destination, { ack: "client" });
  await send(client, destination, "x");
  const message = await inbox.next();
  await receipted(client, (receipt) => message.ack({ receipt }));
  if (version !== "1.0") {
    await send(client, destination, "y");
    const other = await inbox.next();
    await receipted(client, (receipt) => other.nack({ receipt, requeue: "false" }));
  }
  await receipted(client, (receipt) => client.unsubscribe(subscription.id, { receipt }));
  // It waits for the receipt of its DISCONNECT.
  await client.deactivate();
});

forVersions(VERSIONS, "every subscriber of a topic gets a copy", async (closing, version) => {
  const one = await connect(closing, version);
  const two = await connect(closing, version);
  const destination = `/topic/${unique("topic")}.a`;
  const inboxes = [];
  for (const { client } of [one, two]) inboxes.push((await subscribe(client, destination)).inbox);
  inboxes.push((await subscribe(two.client, destination.replace(/\.a$/, ".*"))).inbox);
  await send(one.client, destination, "news");
  for (const inbox of inboxes) {
    equal((await inbox.next()).body, "news");
    await inbox.expectNothing(0.1);
  }
});

forVersions(VERSIONS, "an exchange by name", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/exchange/amq.direct/${unique("key")}`;
  const { inbox } = await subscribe(client, destination);
  await send(client, destination, "through");
  equal((await inbox.next()).body, "through");
});

forVersions(VERSIONS, "UNSUBSCRIBE", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/topic/${unique("unsubscribe")}`;
  const { inbox, subscription } = await subscribe(client, destination);
  await receipted(client, (receipt) => client.unsubscribe(subscription.id, { receipt }));
  await send(client, destination, "after");
  await inbox.expectNothing();
});

forVersions(VERSIONS, "bodies with zero bytes, empty bodies, and 256 KiB", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("body")}`;
  const { inbox } = await subscribe(client, destination);
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const body of [Uint8Array.of(0, 97, 0), new Uint8Array(0), every, new Uint8Array(262_144).fill(120)]) {
    await send(client, destination, body);
    equal(Buffer.from((await inbox.next()).binaryBody), Buffer.from(body));
  }
});

// The client escapes in 1.2 only.
forVersions(["1.2"], "headers with colons, line feeds and backslashes", async (closing, version) => {
  const { client } = await connect(closing, version);
  const destination = `/queue/${unique("escape")}`;
  const { inbox } = await subscribe(client, destination);
  // No "\\c": the client takes an escaped backslash and a c for a colon.
  const value = "a:b\\d\ne ünï";
  await send(client, destination, "", { "x-odd": value });
  equal((await inbox.next()).headers["x-odd"], value);
});

forVersions(["1.1", "1.2"], "heart-beats both ways keep an idle connection", async (closing, version) => {
  const { client, gone } = await connect(closing, version, { heartbeatIncoming: 500, heartbeatOutgoing: 500 });
  await sleep(3000);
  equal(gone.length, 0);
  const destination = `/queue/${unique("idle")}`;
  const { inbox } = await subscribe(client, destination);
  await send(client, destination, "alive");
  equal((await inbox.next()).body, "alive");
});

forVersions(VERSIONS, "a wrong password gets an ERROR", async (closing, version) => {
  const connectHeaders = { login: "guest", passcode: "wrong", host: "/" };
  await assert.rejects(connect(closing, version, { connectHeaders }));
});

check.add("1.2: 2000 messages keep their order", async (closing) => {
  const { client } = await connect(closing, "1.2");
  const destination = `/queue/${unique("burst")}`;
  const { inbox } = await subscribe(client, destination, { ack: "client" });
  for (let i = 0; i < 2000; i++) client.publish({ destination, body: `${i}` });
  const messages = await inbox.take(2000);
  equal(messages.map((m) => m.body), [...Array(2000).keys()].map(String));
  await receipted(client, (receipt) => messages.at(-1).ack({ receipt }));
});

check.add("1.2: message groups, browsing and several destinations", async (closing) => {
  const { client } = await connect(closing, "1.2");
  const other = await connect(closing, "1.2");
  const [one, two] = [`/queue/${unique("one")}`, `/queue/${unique("two")}`];
  await send(client, `${one},${two}`, "both");
  const browsed = await subscribe(client, one, { browser: "true" });
  equal((await browsed.inbox.take(2)).map((m) => [m.body, m.headers.browser]), [["both", undefined], ["", "end"]]);
  const inboxes = [await subscribe(client, two), await subscribe(other.client, two)];
  const first = inboxes.findIndex(({ inbox }) => inbox.length > 0);
  equal((await inboxes[Math.max(first, 0)].inbox.next()).body, "both");
  for (let i = 0; i < 6; i++) await send(client, two, `${i}`, { JMSXGroupID: "g" });
  await sleep(300);
  equal(inboxes.map(({ inbox }) => inbox.length).sort(), [0, 6]);
});

await check.run();
