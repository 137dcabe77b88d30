// What the tests share: the engine, a seeded generator, media that count and
// fail, and a file whose power can be cut.
import { readFileSync } from "node:fs";
import { Store, loadEngine } from "../js/engine.js";
import { openFile } from "../js/medium-file.js";
import { openMemory } from "../js/medium-memory.js";
import { pages } from "../js/walk.js";

await loadEngine(readFileSync(new URL("../dist/indelible.wasm", import.meta.url)));
export { Store, openFile, openMemory };

export const bytes = (text) => new TextEncoder().encode(text);
export const text = (data) => data && new TextDecoder().decode(data);

/** The run's seed: SEED in the environment, or another each time. */
export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));

/** Numbers from 0 to `below`, the same for the same seed (mulberry32). */
export function random(from = seed) {
  let state = from >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A medium in memory that notes what is done to it, and fails where it is told to. */
export function watched(size) {
  const medium = openMemory(size);
  const seen = { writes: [], flushes: 0, reads: 0 };
  const fails = {};
  const asked = (operation) => {
    if (fails[operation]) throw new Error(`${operation} failed`);
  };
  return {
    seen,
    fails,
    get size() {
      return medium.size;
    },
    created: medium.created,
    read(at, into) {
      asked("read");
      seen.reads++;
      medium.read(at, into);
    },
    write(at, data) {
      asked("write");
      seen.writes.push([at, data.length]);
      medium.write(at, data);
    },
    flush() {
      asked("flush");
      seen.flushes++;
      medium.flush();
    },
    replace(size, runs) {
      medium.replace(size, runs);
    },
    close() {},
  };
}

/** Every entry of a range, `[key, value]`. */
export function* entriesOf(store, { limit = Infinity, ...range } = {}, values = true) {
  const asked = pages({ ...range, limit }, values);
  for (let ask = asked.next(); !ask.done; ) {
    const page = store.scan(ask.value);
    for (let i = 0; i < page.keys.length; i++) yield [page.keys[i], page.values[i]];
    ask = asked.next(page);
  }
}

/** Every key of a range. */
export const keysOf = (store, range) => [...entriesOf(store, range, false)].map(([key]) => key);

/** Power is gone. */
export class Cut extends Error {}

/**
 * A file in memory behind a handle. After `budget` operations power fails: of
 * what was not flushed any part may be there, as `chance` says.
 */
export class Disk {
  durable = new Uint8Array();
  now = new Uint8Array();
  budget = Infinity;
  /** The most bytes that a read or write handles at a time. */
  most = Infinity;

  #operation() {
    if (this.budget-- <= 0) throw new Cut();
  }

  handle() {
    return {
      getSize: () => this.now.length,
      read: (into, { at }) => {
        const part = this.now.subarray(at, at + Math.min(into.length, this.most));
        into.set(part);
        return part.length;
      },
      write: (data, { at }) => {
        this.#operation();
        const part = data.subarray(0, this.most);
        if (at + part.length > this.now.length) this.#resize(at + part.length);
        this.now.set(part, at);
        return part.length;
      },
      truncate: (size) => {
        this.#operation();
        this.#resize(size);
      },
      flush: () => {
        this.#operation();
        this.durable = this.now.slice();
      },
      close: () => {},
    };
  }

  #resize(size) {
    const next = new Uint8Array(size);
    next.set(this.now.subarray(0, size));
    this.now = next;
  }

  /** The power is back: sectors of what was not flushed, and its length, are old or new. */
  restart(chance) {
    const before = this.durable;
    const length = chance(2) ? this.now.length : before.length;
    const next = new Uint8Array(length);
    for (let at = 0; at < length; at += 512) {
      const from = chance(2) ? this.now : before;
      next.set(from.subarray(at, Math.min(at + 512, length)), at);
    }
    this.now = next;
    this.durable = next.slice();
    this.budget = Infinity;
  }
}
