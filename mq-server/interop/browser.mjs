// MQTT over secure WebSocket in a browser: Eclipse Paho's JavaScript client and MQTT.js in headless
// Chromium, which trusts the certificate of the run and no other.
import { spawn, spawnSync } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connect, createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Checks, Inbox, equal } from "./checks.mjs";

const require = createRequire(import.meta.url);
const check = new Checks("browser");
const { publicKey } = new X509Certificate(readFileSync(process.env.MQ_CERTIFICATE));
const key = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");

// Runs in the page: each returns when what it is about has happened.
const inPage = () => {
  const { Paho, mqtt, at } = window;
  const post = (path, body) => fetch(path, { method: "POST", body });
  const within = (promise, what) =>
    Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error(`no ${what}`)), 8000))]);
  const text = "äöü€ ".repeat(10_000);
  const unique = (name) => `${name}-${Math.random().toString(36).slice(2)}`;

  // One shape for both: connected, subscribe, publish, and what comes.
  const clients = {
    "paho-mqtt": (options) => {
      const client = new Paho.Client(`wss://${at}/mqtt`, unique("paho"));
      const heard = [];
      let wake = () => {};
      let up;
      const connected = new Promise((resolve) => (up = resolve));
      const self = { connected, ups: 0 };
      client.onConnected = () => {
        self.ups += 1;
        up();
        wake();
      };
      client.onMessageArrived = ({ payloadString, qos }) => {
        heard.push([payloadString, qos]);
        wake();
      };
      client.connect({ useSSL: true, reconnect: options.reconnects, cleanSession: !options.reconnects });
      self.subscribe = (topic, qos) => new Promise((onSuccess) => client.subscribe(topic, { qos, onSuccess }));
      self.publish = (topic, payload, qos) => client.send(topic, payload, qos);
      self.until = async (isEnough) => {
        while (!isEnough(heard, self)) await new Promise((resolve) => (wake = resolve));
      };
      self.end = () => client.disconnect();
      return self;
    },
    "MQTT.js": (options) => {
      const client = mqtt.connect(`wss://${at}/mqtt`, {
        protocolVersion: 5,
        reconnectPeriod: options.reconnects ? 200 : 0,
        clean: !options.reconnects,
        clientId: unique("mqttjs"),
        properties: { sessionExpiryInterval: 60 },
      });
      const heard = [];
      let wake = () => {};
      const self = { ups: 0, connected: new Promise((resolve) => client.once("connect", resolve)) };
      client.on("connect", () => {
        self.ups += 1;
        wake();
      });
      client.on("message", (_topic, payload, { qos }) => {
        heard.push([payload.toString(), qos]);
        wake();
      });
      self.subscribe = (topic, qos) => client.subscribeAsync(topic, { qos });
      self.publish = (topic, payload, qos) => client.publish(topic, payload, { qos });
      self.until = async (isEnough) => {
        while (!isEnough(heard, self)) await new Promise((resolve) => (wake = resolve));
      };
      self.end = () => client.end(true);
      return self;
    },
  };

  const cases = {};
  for (const [name, open] of Object.entries(clients)) {
    for (const qos of [0, 1, 2]) {
      cases[`${name}: QoS ${qos}`] = async () => {
        const client = open({ reconnects: false });
        await within(client.connected, "connection");
        const topic = unique("topic");
        await within(client.subscribe(topic, qos), "SUBACK");
        client.publish(topic, text, qos);
        const came = client.until((heard) => heard.some(([payload, at]) => payload === text && at === qos));
        await within(came, "message");
        client.end();
      };
    }
    cases[`${name}: reconnect`] = async () => {
      const client = open({ reconnects: true });
      await within(client.connected, "connection");
      const topic = unique("topic");
      await within(client.subscribe(topic, 1), "SUBACK");
      await post("/cut");
      await within(client.until((_, { ups }) => ups > 1), "reconnection");
      // The session has kept the subscription.
      client.publish(topic, "again", 1);
      await within(client.until((heard) => heard.some(([payload]) => payload === "again")), "message");
      client.end();
    };
  }
  const run = async () => {
    for (const [name, test] of Object.entries(cases)) {
      const failure = await test().then(
        () => "",
        (error) => `${error}`,
      );
      await post("/done", JSON.stringify([name, failure]));
    }
  };
  run();
};

const NAMES = ["paho-mqtt", "MQTT.js"].flatMap((name) =>
  ["QoS 0", "QoS 1", "QoS 2", "reconnect"].map((what) => `${name}: ${what}`),
);

// The way to the server, which can be cut.
const passing = new Set();
const way = listen((socket) => {
  const onward = connect(process.env.MQ_ANY_PORT, "127.0.0.1");
  for (const [one, other] of [
    [socket, onward],
    [onward, socket],
  ]) {
    passing.add(one);
    one.on("error", () => other.destroy());
    one.on("close", () => passing.delete(one));
    one.pipe(other);
  }
});
const port = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
const at = `localhost:${await port(way)}`;

const outcomes = Object.fromEntries(NAMES.map((name) => [name, new Inbox()]));
const FILES = {
  "/paho.js": require.resolve("paho-mqtt"),
  "/mqtt.js": join(dirname(require.resolve("mqtt/package.json")), "dist", "mqtt.min.js"),
};
const pages = createServer((request, response) => {
  const { method, url } = request;
  let body = "";
  request.on("data", (more) => (body += more));
  request.on("end", () => {
    if (method === "POST" && url === "/cut") for (const socket of passing) socket.destroy();
    if (method === "POST" && url === "/done") {
      const [name, failure] = JSON.parse(body);
      outcomes[name].put(failure);
    }
    if (FILES[url]) response.setHeader("content-type", "text/javascript");
    else response.setHeader("content-type", "text/html; charset=utf-8");
    const page = `<script src="/paho.js"></script><script src="/mqtt.js"></script>
      <script>at = "${at}"; (${inPage})();</script>`;
    response.end(FILES[url] ? readFileSync(FILES[url]) : url === "/" ? page : "");
  });
});
const profile = mkdtempSync(join(tmpdir(), "mq-browser-"));
const browser = spawn(
  process.env.MQ_CHROMIUM ?? "chromium",
  [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    `--user-data-dir=${profile}`,
    `--ignore-certificate-errors-spki-list=${key}`,
    `http://127.0.0.1:${await port(pages)}/`,
  ],
  { detached: true, stdio: ["ignore", "ignore", "inherit"] },
);
process.on("exit", () => {
  process.kill(-browser.pid, "SIGKILL");
  // It is gone a moment later.
  spawnSync("sleep", ["0.3"]);
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

for (const name of NAMES) {
  check.add(name, async () => equal(await outcomes[name].next(18), ""));
}
await check.run();
