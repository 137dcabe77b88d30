// The package on Node: a store in a file, with the same calls. They run on the
// calling thread: a commit blocks it for one fdatasync.
import { readFile } from "node:fs/promises";
import { Store as Engine, loadEngine } from "./engine.js";
import { fault, unpack } from "./errors.js";
import { openNode } from "./medium-node.js";
import { openMemory } from "./medium-memory.js";
import { shape } from "./shape.js";
import { Server } from "./server.js";
import { Store } from "./store.js";
import { SyncStore } from "./sync.js";

export * from "./errors.js";
export { Store } from "./store.js";
export { SyncStore } from "./sync.js";


async function start(path, { media = ["file"], wasm, ...wanted }) {
  if (typeof path !== "string" || !path) throw fault("type", "a store's name is the path of its file");
  const { size, ...options } = shape(wanted);
  const kind = media.find((kind) => kind === "file" || kind === "memory");
  if (!kind) throw fault("unavailable", "on Node a store is in a file or in memory");
  await loadEngine(wasm ?? (await readFile(new URL("../dist/indelible.wasm", import.meta.url))));
  const open = (more) => {
    const medium = kind === "file" ? openNode(path, { size }) : openMemory(size);
    try {
      return Engine.open(medium, { ...options, ...more });
    } catch (error) {
      medium.close();
      throw error;
    }
  };
  const engine = open();
  const durability = kind === "file" ? "strict" : "none";
  const info = { name: path, medium: kind, durability, created: engine.created, report: engine.report };
  const reopen = async (failed, more) => {
    try {
      failed?.close();
    } catch {
      // It was said before that it failed.
    }
    return open(more);
  };
  return { engine, info, reopen };
}

export const Indelible = {
  /** Opens the store in the file `path`, or makes it. */
  async open(path, { keys, values, ...options } = {}) {
    const { engine, info, reopen } = await start(path, options);
    return new Store(new Port(new Server(engine, { reopen })), info, { keys, values });
  },

  /** Files are not cleared behind a program's back. */
  async persist() {
    return true;
  },
};

/** Opens the store in the file `path`; calls are synchronous from then on. */
export async function openSync(path, { keys, values, ...options } = {}) {
  const { engine, info } = await start(path, options);
  return new SyncStore(engine, info, { keys, values });
}

/** The server in the same thread. */
class Port {
  #server;
  #waiting = new Set();

  constructor(server) {
    this.#server = server;
  }

  send(message) {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#server.submit(message).then((answer) => {
        this.#waiting.delete(reject);
        if (answer.e) reject(unpack(answer.e));
        else resolve(answer);
      });
    });
  }

  close() {
    return this.#server.close();
  }

  terminate() {
    this.#server.abandon();
    const error = fault("terminated", "the store was ended; what was under way may have been done or not");
    for (const reject of this.#waiting) reject(error);
  }
}
