// stompjs' own suite over our WebSocket: that of 4.0.8, the last version whose package has it,
// with the client of that version and with today's, which has the same interface beside its own.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";
import { Stomp as today } from "@stomp/stompjs";
import QUnit from "qunit";
import { WebSocket } from "ws";

const require = createRequire(import.meta.url);
// As in a browser, an error that nobody has asked for is none.
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on("error", () => {});
  }
};
const clients = { "4.0.8": require("stompjs-4"), "7.5.0": today };
const chosen = process.env.MQ_CHECK ?? "";
const leftOut = (process.env.MQ_EXCEPT ?? "").split("\n").filter(Boolean);

// What is about things of the old client by their names, which today's has not.
const OF_THE_OLD = [
  "Stomp Frame: ",
  "Should receive messages with special chars in headers",
  // Its callback for errors is for those of the broker.
  "Should not connect to an invalid Stomp server",
];

const TEST = {
  destination: "/topic/chat.general",
  login: "guest",
  password: "guest",
  url: `ws://localhost:${process.env.MQ_ANY_PORT}/ws`,
  badUrl: "ws://localhost:9",
  timeout: 2000,
  debug: () => {},
};

const units = join(dirname(require.resolve("stompjs-4/package.json")), "tests", "unit");
QUnit.config.autostart = false;
QUnit.config.reorder = false;
QUnit.config.testTimeout = 10_000;
for (const [version, Stomp] of Object.entries(clients)) {
  let module = "";
  // The tests are made for one client: each of ours has its own copy of them.
  const named = {
    module: (name, hooks) => {
      module = `stompjs suite: ${version}: ${name}`;
      QUnit.module(module, hooks);
    },
    test: (name, run) => {
      const title = `${module}: ${name}`;
      if (!title.includes(chosen) || leftOut.some((text) => title.includes(text))) return;
      if (Stomp === today && OF_THE_OLD.some((text) => title.includes(text))) return;
      QUnit.test(name, run);
    },
  };
  const globals = {
    QUnit: named,
    TEST,
    Stomp,
    stompClient: () => Stomp.client(TEST.url),
    badStompClient: () => Stomp.client(TEST.badUrl),
  };
  for (const file of readdirSync(units).sort()) {
    const path = join(units, file);
    const unit = vm.compileFunction(readFileSync(path, "utf8"), Object.keys(globals), { filename: path });
    unit(...Object.values(globals));
  }
}

// Today's client says much there.
const say = console.log;
console.log = console.error;
let failed = 0;
QUnit.testDone(({ module, name, failed: wrong, assertions }) => {
  failed += wrong > 0;
  const reasons = assertions.filter((a) => !a.result).map((a) => a.message);
  say(wrong ? `FAIL ${module}: ${name}: ${reasons.join(" | ").replaceAll("\n", " ")}` : `ok   ${module}: ${name}`);
});
QUnit.on("runEnd", () => process.exit(failed ? 1 : 0));
process.on("unhandledRejection", (error) => console.error(error));
process.on("uncaughtException", (error) => console.error(error));
QUnit.start();
