// amqplib, the Node client for AMQP 0-9-1.
import assert from "node:assert/strict";
import amqp from "amqplib";
import { AMQP_PORT, Checks, HOST, Inbox, equal, sleep, unique } from "./checks.mjs";

const check = new Checks("amqplib");
const url = (more = {}) => ({
  protocol: "amqp",
  hostname: HOST,
  port: AMQP_PORT,
  username: "guest",
  password: "guest",
  vhost: "/",
  ...more,
});

async function connect(closing, more) {
  const connection = await amqp.connect(url(more));
  connection.on("error", () => {});
  closing(() => connection.close());
  return connection;
}

async function channel(closing, more) {
  const ch = await (await connect(closing, more)).createChannel();
  ch.on("error", () => {});
  return ch;
}

const queue = async (ch, more = {}) =>
  (await ch.assertQueue(unique("amqplib"), { exclusive: true, durable: false, ...more })).queue;
const depth = async (ch, name) => (await ch.checkQueue(name)).messageCount;
const text = (message) => message.content.toString();

async function consume(ch, name, options) {
  const inbox = new Inbox();
  await ch.consume(name, (message) => inbox.put(message), options);
  return inbox;
}

async function refused(code, promise) {
  await assert.rejects(promise, (error) => {
    equal(error.code, code);
    return true;
  });
}

check.add("publish, consume, acknowledge", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  for (let i = 0; i < 10; i++) ch.sendToQueue(name, Buffer.from(`message ${i}`));
  const inbox = await consume(ch, name);
  for (let i = 0; i < 10; i++) {
    const message = await inbox.next();
    equal([text(message), message.fields.redelivered], [`message ${i}`, false]);
    ch.ack(message);
  }
  equal(await depth(ch, name), 0);
});

check.add("publisher confirms", async (closing) => {
  const connection = await connect(closing);
  const ch = await connection.createConfirmChannel();
  const name = await queue(ch);
  const confirmed = [];
  for (let i = 0; i < 100; i++) {
    ch.sendToQueue(name, Buffer.from(`${i}`), {}, (error) => confirmed.push(error ?? i));
  }
  await ch.waitForConfirms();
  equal(confirmed, [...Array(100).keys()]);
  equal(await depth(ch, name), 100);
});

check.add("a delayed message comes when its time has come", async (closing) => {
  const ch = await channel(closing);
  const [exchange, name] = [unique("delayed"), await queue(ch)];
  const options = { autoDelete: true, durable: false, arguments: { "x-delayed-type": "topic" } };
  await ch.assertExchange(exchange, "x-delayed-message", options);
  await ch.bindQueue(name, exchange, "#");
  const inbox = await consume(ch, name, { noAck: true });
  const begin = Date.now();
  for (const delay of [600, 300]) ch.publish(exchange, "k", Buffer.from(`${delay}`), { headers: { "x-delay": delay } });
  for (const delay of [300, 600]) {
    const message = await inbox.next();
    equal([text(message), message.properties.headers["x-delay"]], [`${delay}`, -delay]);
    assert.ok(Date.now() - begin > delay - 20);
  }
});

check.add("a consistent-hash exchange keeps what has one key together", async (closing) => {
  const ch = await channel(closing);
  const exchange = unique("hash");
  const names = [await queue(ch), await queue(ch)];
  await ch.assertExchange(exchange, "x-consistent-hash", { autoDelete: true, durable: false });
  for (const name of names) await ch.bindQueue(name, exchange, "1");
  for (let i = 0; i < 100; i++) ch.publish(exchange, `${i % 20}`, Buffer.from(`${i % 20}`));
  await ch.checkExchange(exchange);
  const found = [];
  for (const name of names) {
    const keys = [];
    for (let message; (message = await ch.get(name, { noAck: true })); ) keys.push(text(message));
    found.push(keys);
  }
  equal(found[0].length + found[1].length, 100);
  equal(found[0].filter((key) => found[1].includes(key)), []);
});

check.add("a mandatory message without a queue comes back", async (closing) => {
  const ch = await channel(closing);
  const returned = new Inbox();
  ch.on("return", (message) => returned.put(message));
  ch.publish("", unique("nowhere"), Buffer.from("lost"), { mandatory: true, messageId: "m1" });
  const message = await returned.next();
  equal([message.fields.replyCode, message.properties.messageId, text(message)], [312, "m1", "lost"]);
});

// amqplib 2 has no public methods for tx.*: transactions are left to pika.

check.add("prefetch holds deliveries back until an acknowledgement", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  for (let i = 0; i < 5; i++) ch.sendToQueue(name, Buffer.from(`${i}`));
  await ch.prefetch(2);
  const inbox = await consume(ch, name);
  const [first, second] = await inbox.take(2);
  await inbox.expectNothing();
  ch.ack(first);
  const third = await inbox.next();
  equal([text(first), text(second), text(third)], ["0", "1", "2"]);
  await inbox.expectNothing();
  ch.ackAll();
  equal((await inbox.take(2)).map(text), ["3", "4"]);
});

check.add("nack with requeue brings it back, reject without does not", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  ch.sendToQueue(name, Buffer.from("unwanted"));
  ch.nack(await ch.get(name), false, true);
  const again = await ch.get(name);
  equal([text(again), again.fields.redelivered], ["unwanted", true]);
  ch.reject(again, false);
  equal(await ch.get(name), false);
});

check.add("exchanges: direct, fanout, topic, headers", async (closing) => {
  const ch = await channel(closing);
  const table = [
    ["direct", "a.b", {}, "a.b", {}, true],
    ["direct", "a.b", {}, "a.c", {}, false],
    ["fanout", "", {}, "anything", {}, true],
    ["topic", "*.b.#", {}, "a.b", {}, true],
    ["topic", "*.b.#", {}, "a.c.b", {}, false],
    ["headers", "", { "x-match": "all", a: 1, b: "x" }, "", { a: 1, b: "x" }, true],
    ["headers", "", { "x-match": "all", a: 1, b: "x" }, "", { a: 1 }, false],
    ["headers", "", { "x-match": "any", a: 1, b: "x" }, "", { b: "x" }, true],
  ];
  for (const [type, binding, args, key, headers, arrives] of table) {
    const exchange = unique("exchange");
    await ch.assertExchange(exchange, type, { durable: false, autoDelete: true });
    const name = await queue(ch);
    await ch.bindQueue(name, exchange, binding, args);
    ch.publish(exchange, key, Buffer.from("x"), { headers });
    const message = await ch.get(name, { noAck: true });
    equal(Boolean(message), arrives, `${type} ${binding} <- ${key} ${JSON.stringify(headers)}`);
    await ch.unbindQueue(name, exchange, binding, args);
  }
});

check.add("basic.get", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  equal(await ch.get(name), false);
  for (const body of ["1", "2", "3"]) ch.sendToQueue(name, Buffer.from(body));
  const message = await ch.get(name);
  equal([text(message), message.fields.messageCount], ["1", 2]);
  ch.ack(message);
});

check.add("every property and every kind of header comes through", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  const headers = {
    text: "ünïcode",
    yes: true,
    byte: 100,
    negative: -1,
    short: 1000,
    int: 100000,
    long: 2 ** 40,
    double: 1.5,
    none: null,
    bytes: Buffer.from([0, 255]),
    list: [1, "two", [3]],
    table: { inner: { deep: 1 } },
    when: { "!": "timestamp", value: 1700000000 },
    decimal: { "!": "decimal", value: { digits: 314, places: 2 } },
    float: { "!": "float", value: 0.5 },
  };
  const sent = {
    contentType: "application/json",
    contentEncoding: "gzip",
    deliveryMode: 2,
    priority: 5,
    correlationId: "c1",
    replyTo: "r1",
    expiration: "600000",
    messageId: "m1",
    timestamp: 1700000000,
    type: "t1",
    userId: "guest",
    appId: "a1",
  };
  ch.sendToQueue(name, Buffer.from("{}"), { ...sent, headers });
  const { properties } = await ch.get(name, { noAck: true });
  for (const key of Object.keys(sent)) equal(properties[key], sent[key], key);
  // Tagged values come back tagged, but for the float.
  equal(properties.headers, { ...headers, float: 0.5 });
});

check.add("bodies of 0 bytes, 1 byte, and many frames", async (closing) => {
  const ch = await channel(closing, { frameMax: 4096 });
  const name = await queue(ch);
  for (const size of [0, 1, 4088, 4089, 1_000_000]) {
    ch.sendToQueue(name, Buffer.alloc(size, "x"));
    equal((await ch.get(name, { noAck: true })).content.length, size);
  }
});

check.add("deleting a queue cancels its consumer", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  const inbox = await consume(ch, name);
  await ch.deleteQueue(name);
  equal(await inbox.next(), null);
});

check.add("purge and delete say how many messages there were", async (closing) => {
  const ch = await channel(closing);
  const name = await queue(ch);
  for (let i = 0; i < 3; i++) ch.sendToQueue(name, Buffer.alloc(0));
  equal((await ch.purgeQueue(name)).messageCount, 3);
  ch.sendToQueue(name, Buffer.alloc(0));
  equal((await ch.deleteQueue(name)).messageCount, 1);
});

check.add("channel errors leave the connection open", async (closing) => {
  const connection = await connect(closing);
  const attempts = [
    [404, (ch) => ch.checkQueue(unique("missing"))],
    [404, (ch) => ch.checkExchange(unique("missing"))],
    [403, (ch) => ch.assertQueue("amq.mine")],
    [406, async (ch) => ch.assertQueue(await queue(ch), { exclusive: true, autoDelete: true, durable: false })],
  ];
  for (const [code, attempt] of attempts) {
    const ch = await connection.createChannel();
    ch.on("error", () => {});
    await refused(code, attempt(ch));
  }
  await queue(await connection.createChannel());
});

check.add("a wrong password and an unknown virtual host are refused", async () => {
  await assert.rejects(amqp.connect(url({ password: "wrong" })), /403|ACCESS.REFUSED/i);
  await assert.rejects(amqp.connect(url({ vhost: unique("vhost") })), /530|NOT.ALLOWED|ConnectionClose/i);
});

check.add("heart-beats keep an idle connection, at one second", async (closing) => {
  const ch = await channel(closing, { heartbeat: 1 });
  await sleep(4000);
  const name = await queue(ch);
  ch.sendToQueue(name, Buffer.from("alive"));
  equal(text(await ch.get(name, { noAck: true })), "alive");
});

check.add("a request and its answer by reply-to and correlation id", async (closing) => {
  const [server, client] = [await channel(closing), await channel(closing)];
  const requests = await queue(server);
  await server.consume(requests, (request) => {
    server.sendToQueue(request.properties.replyTo, Buffer.from(`answer to ${request.content}`), {
      correlationId: request.properties.correlationId,
    });
    server.ack(request);
  });
  const answers = await queue(client);
  const inbox = await consume(client, answers, { noAck: true });
  client.sendToQueue(requests, Buffer.from("1"), { replyTo: answers, correlationId: "c1" });
  const answer = await inbox.next();
  equal([text(answer), answer.properties.correlationId], ["answer to 1", "c1"]);
});

check.add("5000 messages through one queue, consumed while they come", async (closing) => {
  const [producer, consumer] = [await channel(closing), await channel(closing)];
  const { queue: name } = await consumer.assertQueue(unique("amqplib"), { autoDelete: true, durable: false });
  await consumer.prefetch(100);
  let next = 0;
  const done = new Inbox();
  await consumer.consume(name, (message) => {
    assert.equal(text(message), `${next++}`);
    consumer.ack(message);
    if (next === 5000) done.put(true);
  });
  for (let i = 0; i < 5000; i++) {
    if (!producer.sendToQueue(name, Buffer.from(`${i}`))) {
      await new Promise((resolve) => producer.once("drain", resolve));
    }
  }
  await done.next(15);
});

await check.run();
