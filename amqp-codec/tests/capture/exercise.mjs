// Everything that amqplib can say: see record.py, which runs this.
import amqp from "amqplib";

const port = process.argv[2];
const connection = await amqp.connect({ hostname: "127.0.0.1", port, heartbeat: 60 });
connection.on("error", () => {});
const ch = await connection.createChannel();
ch.on("error", () => {});
await ch.assertExchange("capture.c", "topic", { durable: true, autoDelete: true, arguments: { n: 1 } });
await ch.assertExchange("capture.d", "fanout", { internal: true });
await ch.checkExchange("capture.c");
await ch.bindExchange("capture.d", "capture.c", "k.#", { n: 1 });
await ch.assertQueue("capture.amqplib", { exclusive: true, maxLength: 100, deadLetterExchange: "dead" });
await ch.checkQueue("capture.amqplib");
await ch.bindQueue("capture.amqplib", "capture.c", "k", { x: "y" });
await ch.unbindQueue("capture.amqplib", "capture.c", "k", { x: "y" });
await ch.unbindExchange("capture.d", "capture.c", "k.#", { n: 1 }); // it goes with its last binding
await ch.prefetch(7);
await ch.get("capture.amqplib");
ch.sendToQueue("capture.amqplib", Buffer.from("all"), {
  contentType: "text/plain",
  contentEncoding: "gzip",
  headers: {
    small: 1, byte: 200, short: -300, int: 70000, long: 2 ** 40, double: 1.5, yes: true, nothing: null,
    text: "ok", list: [1, "two"], table: { deep: 1 }, octets: Buffer.from([0, 255]),
    when: { "!": "timestamp", value: 1700000000 }, exact: { "!": "decimal", value: { digits: 314, places: 2 } },
    f: { "!": "float", value: 0.5 }, u8: { "!": "unsignedbyte", value: 7 }, i8: { "!": "byte", value: -7 },
    u16: { "!": "unsignedshort", value: 7 }, i16: { "!": "short", value: -7 }, u32: { "!": "unsignedint", value: 7 },
  },
  persistent: true, priority: 5, correlationId: "c1", replyTo: "r1", expiration: "60000",
  messageId: "m1", timestamp: 1700000000, type: "t1", userId: "guest", appId: "a1",
});
const got = await ch.get("capture.amqplib");
ch.ack(got);
for (const settle of ["nack", "reject"]) {
  ch.sendToQueue("capture.amqplib", Buffer.from(settle));
  const message = await ch.get("capture.amqplib");
  if (settle === "nack") ch.nack(message, false, false);
  else ch.reject(message, false);
}
await ch.recover();
const { consumerTag } = await ch.consume("capture.amqplib", () => {}, { noAck: true, priority: 5 });
ch.sendToQueue("capture.amqplib", Buffer.from("delivered"));
ch.publish("amq.topic", "nowhere", Buffer.from("back"), { mandatory: true });
await new Promise((done) => setTimeout(done, 300));
await ch.cancel(consumerTag);
await ch.purgeQueue("capture.amqplib");

const confirmed = await connection.createConfirmChannel();
confirmed.sendToQueue("capture.amqplib", Buffer.from("x"));
await confirmed.waitForConfirms();
await confirmed.close();
await ch.deleteQueue("capture.amqplib");
await ch.deleteExchange("capture.d");
await connection.updateSecret(Buffer.from("guest"), "rotated");
await connection.close();
