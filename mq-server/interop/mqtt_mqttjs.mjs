// mqtt, the Node client for MQTT 3.1, 3.1.1 and 5.0 ("MQTT.js").
import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { createConnection } from "node:net";
import mqtt from "mqtt";
import { Checks, HOST, Inbox, MQTT_PORT, equal, sleep, unique } from "./checks.mjs";

const check = new Checks("mqtt.js");
const VERSIONS = { "3.1.1": 4, "5.0": 5 };

async function connect(closing, protocolVersion, more = {}) {
  const client = mqtt.connect({
    host: HOST,
    port: MQTT_PORT,
    protocolVersion,
    clientId: unique("mqttjs").slice(-23),
    reconnectPeriod: 0,
    connectTimeout: 10_000,
    ...more,
  });
  const inbox = new Inbox();
  client.on("message", (topic, payload, packet) => inbox.put({ topic, payload: `${payload}`, packet }));
  const connack = await new Promise((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed")));
  });
  client.on("error", () => {});
  closing(() => client.endAsync(true));
  return { client, inbox, connack };
}

function forVersions(name, run) {
  for (const [version, protocolVersion] of Object.entries(VERSIONS)) {
    check.add(`${version}: ${name}`, (closing) => run(closing, protocolVersion));
  }
}

/** Cut off without a DISCONNECT. */
const vanish = ({ client }) => client.stream.destroy();

check.add("3.1: connects, publishes and consumes", async (closing) => {
  const { client, inbox } = await connect(closing, 3, { protocolId: "MQIsdp" });
  const topic = unique("old");
  await client.subscribeAsync(topic, { qos: 1 });
  await client.publishAsync(topic, "hello", { qos: 1 });
  equal((await inbox.next()).payload, "hello");
});

forVersions("QoS 0, 1 and 2, published and consumed with acknowledgement", async (closing, version) => {
  const sub = await connect(closing, version);
  const pub = await connect(closing, version);
  const topic = unique("qos");
  equal((await sub.client.subscribeAsync(topic, { qos: 2 }))[0].qos, 2);
  for (const qos of [0, 1, 2]) {
    // Resolves when the PUBACK or PUBCOMP has come.
    await pub.client.publishAsync(topic, `at ${qos}`, { qos });
    const { payload, packet } = await sub.inbox.next();
    equal([payload, packet.qos, packet.retain], [`at ${qos}`, qos, false]);
  }
  await sub.inbox.expectNothing();
});

forVersions("wildcards", async (closing, version) => {
  const sub = await connect(closing, version);
  const base = unique("wild");
  await sub.client.subscribeAsync([`${base}/+/x`, `${base}/deep/#`], { qos: 1 });
  for (const end of ["a/x", "a/y", "deep", "deep/er/still"]) {
    await sub.client.publishAsync(`${base}/${end}`, end, { qos: 1 });
  }
  equal((await sub.inbox.take(3)).map((m) => m.payload), ["a/x", "deep", "deep/er/still"]);
  await sub.inbox.expectNothing();
});

forVersions("unsubscribe", async (closing, version) => {
  const { client, inbox } = await connect(closing, version);
  const topic = unique("unsubscribe");
  await client.subscribeAsync(topic, { qos: 1 });
  await client.unsubscribeAsync(topic);
  await client.publishAsync(topic, "too late", { qos: 1 });
  await inbox.expectNothing();
});

forVersions("a retained message meets later subscribers, until it is cleared", async (closing, version) => {
  const pub = await connect(closing, version);
  const topic = unique("retained");
  await pub.client.publishAsync(topic, "kept", { qos: 1, retain: true });
  const late = await connect(closing, version);
  await late.client.subscribeAsync(topic, { qos: 1 });
  const { payload, packet } = await late.inbox.next();
  equal([payload, packet.retain], ["kept", true]);
  await pub.client.publishAsync(topic, "", { qos: 1, retain: true });
  const later = await connect(closing, version);
  await later.client.subscribeAsync(topic, { qos: 1 });
  await later.inbox.expectNothing();
});

forVersions("the will is published when the client vanishes, not when it leaves", async (closing, version) => {
  const sub = await connect(closing, version);
  const topic = unique("will");
  await sub.client.subscribeAsync(topic, { qos: 1 });
  const will = (payload) => ({ will: { topic, payload, qos: 1, retain: false } });
  await (await connect(closing, version, will("left"))).client.endAsync();
  await sub.inbox.expectNothing();
  vanish(await connect(closing, version, will("vanished")));
  equal((await sub.inbox.next()).payload, "vanished");
});

forVersions("a session is resumed with what came meanwhile", async (closing, version) => {
  const options = {
    clientId: unique("session").slice(-23),
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 300 } } : {}),
  };
  const topic = unique("session");
  const first = await connect(closing, version, options);
  equal(first.connack.sessionPresent, false);
  await first.client.subscribeAsync(topic, { qos: 2 });
  await first.client.endAsync();
  const pub = await connect(closing, version);
  for (const qos of [1, 2]) await pub.client.publishAsync(topic, `meanwhile ${qos}`, { qos });
  const again = await connect(closing, version, options);
  equal(again.connack.sessionPresent, true);
  equal((await again.inbox.take(2)).map((m) => m.payload), ["meanwhile 1", "meanwhile 2"]);
  await again.client.endAsync();
  const clean = await connect(closing, version, { clientId: options.clientId, clean: true });
  equal(clean.connack.sessionPresent, false);
});

forVersions("QoS 1 that was not acknowledged comes again, as a duplicate", async (closing, version) => {
  const options = {
    clientId: unique("again").slice(-23),
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 300 } } : {}),
  };
  const topic = unique("again");
  const first = await connect(closing, version, options);
  await first.client.subscribeAsync(topic, { qos: 1 });
  // It takes the message and is gone before its PUBACK.
  first.client.handleMessage = (packet) => {
    equal(packet.dup, false);
    vanish(first);
  };
  const pub = await connect(closing, version);
  await pub.client.publishAsync(topic, "again", { qos: 1 });
  equal((await first.inbox.next()).payload, "again");
  const second = await connect(closing, version, options);
  const { payload, packet } = await second.inbox.next();
  equal([payload, packet.dup], ["again", true]);
  await sleep(200);
  await second.client.endAsync();
  // And not once more after the PUBACK.
  const third = await connect(closing, version, options);
  await third.inbox.expectNothing();
});

forVersions("a wrong password is refused", async (closing, version) => {
  await connect(closing, version, { username: "guest", password: "guest" });
  await assert.rejects(connect(closing, version, { username: "guest", password: "wrong" }), (error) =>
    [4, 5, 0x86, 0x87].includes(error.code),
  );
});

forVersions("an idle connection is kept by pings, at one second", async (closing, version) => {
  const { client, inbox } = await connect(closing, version, { keepalive: 1 });
  await sleep(3500);
  const topic = unique("idle");
  await client.subscribeAsync(topic, { qos: 1 });
  await client.publishAsync(topic, "alive", { qos: 1 });
  equal((await inbox.next()).payload, "alive");
});

forVersions("a burst of 2000 at QoS 1 keeps its order", async (closing, version) => {
  const sub = await connect(closing, version);
  const pub = await connect(closing, version);
  const topic = unique("burst");
  await sub.client.subscribeAsync(topic, { qos: 1 });
  await Promise.all([...Array(2000).keys()].map((i) => pub.client.publishAsync(topic, `${i}`, { qos: 1 })));
  equal((await sub.inbox.take(2000)).map((m) => m.payload), [...Array(2000).keys()].map(String));
});

check.add("5.0: the properties of a message come through", async (closing) => {
  const { client, inbox } = await connect(closing, 5);
  const topic = unique("properties");
  await client.subscribeAsync(topic, { qos: 1, properties: { subscriptionIdentifier: 7 } });
  const properties = {
    payloadFormatIndicator: true,
    messageExpiryInterval: 600,
    responseTopic: "answer/here",
    correlationData: Buffer.from([0, 1]),
    contentType: "application/json",
    userProperties: { key: ["one", "two"], other: "three" },
  };
  await client.publishAsync(topic, "{}", { qos: 1, properties });
  const got = { ...(await inbox.next()).packet.properties };
  assert.ok([599, 600].includes(got.messageExpiryInterval), got.messageExpiryInterval);
  equal(
    { ...got, messageExpiryInterval: 600, userProperties: { ...got.userProperties } },
    { ...properties, subscriptionIdentifier: 7 },
  );
});

check.add("5.0: topic aliases from the client", async (closing) => {
  const sub = await connect(closing, 5);
  const pub = await connect(closing, 5, { autoAssignTopicAlias: true });
  const topic = unique("alias");
  await sub.client.subscribeAsync(topic, { qos: 1 });
  for (const payload of ["1", "2", "3"]) await pub.client.publishAsync(topic, payload, { qos: 1 });
  equal((await sub.inbox.take(3)).map((m) => [m.topic, m.payload]), [[topic, "1"], [topic, "2"], [topic, "3"]]);
});

check.add("5.0: the client's receive maximum is kept", async (closing) => {
  const sub = await connect(closing, 5, { properties: { receiveMaximum: 2 } });
  const topic = unique("maximum");
  await sub.client.subscribeAsync(topic, { qos: 1 });
  const acknowledge = [];
  sub.client.handleMessage = (packet, done) => acknowledge.push(done);
  // MQTT.js hands over one message at a time: count what it was sent.
  let publishes = 0;
  sub.client.on("packetreceive", (packet) => (publishes += packet.cmd === "publish"));
  const pub = await connect(closing, 5);
  for (const payload of ["1", "2", "3"]) await pub.client.publishAsync(topic, payload, { qos: 1 });
  equal((await sub.inbox.next()).payload, "1");
  await sleep(300);
  assert.ok(publishes <= 2, `${publishes} in flight`);
  acknowledge.shift()();
  equal((await sub.inbox.next()).payload, "2");
  acknowledge.shift()();
  equal((await sub.inbox.next()).payload, "3");
});

check.add("5.0: no local and shared subscriptions", async (closing) => {
  const one = await connect(closing, 5);
  const two = await connect(closing, 5);
  const topic = unique("options");
  await one.client.subscribeAsync(topic, { qos: 1, nl: true });
  await one.client.publishAsync(topic, "own", { qos: 1 });
  await one.inbox.expectNothing();
  const shared = unique("shared");
  for (const { client } of [one, two]) await client.subscribeAsync(`$share/group/${shared}`, { qos: 1 });
  for (let i = 0; i < 10; i++) await one.client.publishAsync(shared, `${i}`, { qos: 1 });
  await sleep(300);
  equal(one.inbox.length + two.inbox.length, 10);
  assert.ok(one.inbox.length > 0 && two.inbox.length > 0, "all went to one member");
});

/** What a SCRAM-SHA-256 client answers to the server's first message, and what it expects then. */
function scram(bare, challenge, password) {
  const part = (name) => challenge.split(",").find((p) => p.startsWith(name)).slice(2);
  const mac = (key, text) => createHmac("sha256", key).update(text).digest();
  const salted = pbkdf2Sync(password, Buffer.from(part("s="), "base64"), Number(part("i=")), 32, "sha256");
  const client = mac(salted, "Client Key");
  const withoutProof = `c=biws,r=${part("r=")}`;
  const signed = `${bare},${challenge},${withoutProof}`;
  const signature = mac(createHash("sha256").update(client).digest(), signed);
  const proof = Buffer.from(client.map((byte, i) => byte ^ signature[i])).toString("base64");
  const expected = `v=${mac(mac(salted, "Server Key"), signed).toString("base64")}`;
  return { last: `${withoutProof},p=${proof}`, expected };
}

for (const [password, comesIn] of [["guest", true], ["wrong", false]]) {
  check.add(`5.0: SCRAM-SHA-256 with ${comesIn ? "the right" : "a wrong"} password`, async (closing) => {
    const bare = "n=guest,r=fyko+d2lbbFgONRv9qkxdawL";
    const method = "SCRAM-SHA-256";
    let expected;
    class Scram extends mqtt.MqttClient {
      handleAuth(packet, callback) {
        const answer = scram(bare, `${packet.properties.authenticationData}`, password);
        expected = answer.expected;
        const authenticationData = Buffer.from(answer.last);
        callback(null, {
          cmd: "auth",
          reasonCode: 0x18,
          properties: { authenticationMethod: method, authenticationData },
        });
      }
    }
    const options = {
      protocolVersion: 5,
      clientId: unique("scram").slice(-23),
      reconnectPeriod: 0,
      properties: { authenticationMethod: method, authenticationData: Buffer.from(`n,,${bare}`) },
    };
    const client = new Scram(() => createConnection(MQTT_PORT, HOST), options);
    closing(() => client.endAsync(true));
    const connected = new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("error", reject);
      client.once("close", () => reject(new Error("closed")));
    });
    client.on("error", () => {});
    if (!comesIn) return void (await assert.rejects(connected));
    const connack = await connected;
    equal(`${connack.properties.authenticationData}`, expected);
    equal(connack.properties.authenticationMethod, method);
    const topic = unique("scram");
    await client.subscribeAsync(topic, { qos: 1 });
    await client.publishAsync(topic, "in", { qos: 1 });
  });
}

check.add("5.0: topic aliases from the server", async (closing) => {
  const sub = await connect(closing, 5, { properties: { topicAliasMaximum: 2 } });
  const topic = unique("alias");
  await sub.client.subscribeAsync(`${topic}/+`, { qos: 1 });
  const aliases = [];
  sub.client.on("packetreceive", (packet) => {
    if (packet.cmd === "publish") aliases.push(packet.properties?.topicAlias);
  });
  const pub = await connect(closing, 5);
  for (const end of ["a", "b", "c", "a"]) await pub.client.publishAsync(`${topic}/${end}`, end, { qos: 1 });
  const topics = (await sub.inbox.take(4)).map((message) => message.topic.slice(-1));
  equal(topics, ["a", "b", "c", "a"]);
  equal(aliases, [1, 2, undefined, 1]);
});

forVersions("$SYS is for those who name it", async (closing, version) => {
  const { client, inbox } = await connect(closing, version);
  await client.subscribeAsync("$SYS/broker/uptime", { qos: 0 });
  const { payload, packet } = await inbox.next();
  assert.match(payload, /^\d+ seconds$/);
  equal(packet.retain, true);
});

await check.run();
