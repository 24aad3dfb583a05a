// Named checks: each prints one line, and none can hang the run.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

export { sleep };
export const HOST = process.env.MQ_HOST ?? "127.0.0.1";
export const AMQP_PORT = Number(process.env.MQ_AMQP_PORT ?? 5672);
export const MQTT_PORT = Number(process.env.MQ_MQTT_PORT ?? 1883);
export const STOMP_PORT = Number(process.env.MQ_STOMP_PORT ?? 61613);

// Checks whose "CLIENT: NAME" contains one of these are left out.
const leftOut = (process.env.MQ_EXCEPT ?? "").split("\n").filter(Boolean);
const chosen = process.env.MQ_CHECK ?? "";

// Long enough for a loaded machine; a check that works takes far less.
const SECONDS = 20;

export const equal = assert.deepEqual;

let count = 0;
/** A name that no other check, and no earlier run, has used. */
export const unique = (prefix) => `${prefix}-${process.pid}-${++count}`;

/** What arrives by callbacks, to wait on. */
export class Inbox {
  #items = [];
  #waiting = [];

  put(item) {
    const taker = this.#waiting.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  get length() {
    return this.#items.length;
  }

  async next(seconds = 10) {
    if (this.#items.length) return this.#items.shift();
    let taker;
    const timer = new AbortController();
    try {
      return await Promise.race([
        new Promise((resolve) => this.#waiting.push((taker = resolve))),
        sleep(seconds * 1000, undefined, { signal: timer.signal }).then(() => {
          throw new Error(`nothing came within ${seconds} s`);
        }),
      ]);
    } finally {
      timer.abort();
      this.#waiting = this.#waiting.filter((waiting) => waiting !== taker);
    }
  }

  async take(number) {
    const items = [];
    while (items.length < number) items.push(await this.next());
    return items;
  }

  async expectNothing(seconds = 0.3) {
    await sleep(seconds * 1000);
    assert.equal(this.#items.length, 0, `came uninvited: ${JSON.stringify(this.#items[0])}`);
  }
}

/** The checks of one client, in the order of their definition. */
export class Checks {
  #checks = [];

  constructor(client) {
    this.client = client;
  }

  add(name, run) {
    this.#checks.push([`${this.client}: ${name}`, run]);
  }

  async run() {
    let failed = 0;
    // Libraries report what nobody waits for; it must not end the run.
    process.on("unhandledRejection", (error) => console.error(error));
    process.on("uncaughtException", (error) => console.error(error));
    for (const [title, run] of this.#checks) {
      if (!title.includes(chosen) || leftOut.some((text) => title.includes(text))) continue;
      // What a check opens it hands over to be closed, however it ends.
      const closers = [];
      const timer = new AbortController();
      try {
        await Promise.race([
          run((close) => closers.push(close)),
          sleep(SECONDS * 1000, undefined, { signal: timer.signal }).then(() => {
            throw new Error(`still not done after ${SECONDS} s`);
          }),
        ]);
        console.log(`ok   ${title}`);
      } catch (error) {
        failed += 1;
        console.log(`FAIL ${title}: ${String(error).split("\n").filter(Boolean).join(" | ")}`);
        console.error(error);
      } finally {
        timer.abort();
      }
      for (const close of closers.reverse()) {
        await Promise.race([Promise.resolve(close()).catch(() => {}), sleep(2000, undefined, { ref: false })]);
      }
    }
    process.exit(failed ? 1 : 0);
  }
}
