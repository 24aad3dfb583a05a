// TLS and WebSocket, with the Node clients: one port for everything, and a certificate of our own.
import { readFileSync } from "node:fs";
import { Client } from "@stomp/stompjs";
import amqplib from "amqplib";
import mqtt from "mqtt";
import { WebSocket } from "ws";
import { Checks, Inbox, equal, unique } from "./checks.mjs";

const AT = `localhost:${process.env.MQ_ANY_PORT}`;
const ca = readFileSync(process.env.MQ_CERTIFICATE);
const check = new Checks("transports.mjs");

for (const scheme of ["mqtts", "ws", "wss"]) {
  check.add(`MQTT.js over ${scheme}`, async (closing) => {
    const path = scheme === "mqtts" ? "" : "/mqtt";
    const client = await mqtt.connectAsync(`${scheme}://${AT}${path}`, { ca, protocolVersion: 5 });
    closing(() => client.endAsync(true));
    const inbox = new Inbox();
    client.on("message", (_topic, payload) => inbox.put(payload.length));
    const topic = unique("topic");
    await client.subscribeAsync(topic, { qos: 2 });
    await client.publishAsync(topic, Buffer.alloc(300_000), { qos: 2 });
    equal(await inbox.next(), 300_000);
  });
}

for (const scheme of ["ws", "wss"]) {
  for (const forceBinaryWSFrames of [false, true]) {
    check.add(`stompjs over ${scheme}${forceBinaryWSFrames ? " in binary frames" : ""}`, async (closing) => {
      const connected = new Inbox();
      const client = new Client({
        webSocketFactory: () => new WebSocket(`${scheme}://${AT}/ws`, ["v12.stomp", "v11.stomp"], { ca }),
        connectHeaders: { login: "guest", passcode: "guest" },
        reconnectDelay: 0,
        forceBinaryWSFrames,
        onConnect: (frame) => connected.put(frame.headers.version),
      });
      closing(() => client.deactivate({ force: true }));
      client.activate();
      equal(await connected.next(), "1.2");
      const inbox = new Inbox();
      const destination = `/queue/${unique("queue")}`;
      client.subscribe(destination, (message) => inbox.put(message.body));
      const body = "äöü€ ".repeat(60_000);
      client.publish({ destination, body });
      equal((await inbox.next()) === body, true);
    });
  }
}

check.add("amqplib over TLS", async (closing) => {
  const connection = await amqplib.connect(`amqps://guest:guest@${AT}`, { ca: [ca] });
  closing(() => connection.close());
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  channel.sendToQueue(queue, Buffer.alloc(300_000));
  await channel.waitForConfirms();
  equal((await channel.get(queue)).content.length, 300_000);
});

await check.run();
