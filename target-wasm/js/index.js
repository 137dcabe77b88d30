// The package in a page (or in a worker that wants the asynchronous store).
// Nothing of the browser is touched before `open`: importing it on a server is
// safe.
import { fault, unpack } from "./errors.js";
import { Store } from "./store.js";
import { heard, written } from "./wire.js";

export * from "./errors.js";
export { Store } from "./store.js";

export const Indelible = {
  /** Opens the store `name` of this origin, or makes it. */
  async open(name, options = {}) {
    if (typeof name !== "string" || !name) throw fault("type", "a store's name is a string that is not empty");
    if (!globalThis.Worker || !globalThis.navigator?.locks) {
      throw fault("unavailable", "a store needs workers and a secure context (https or localhost)");
    }
    const { worker, keys, values, wasm, ...rest } = options;
    const port = new WorkerPort(worker ? worker() : spawn());
    try {
      const { info } = await port.ask({ act: "open", name, options: { ...rest, wasm: wasm instanceof URL ? wasm.href : wasm } });
      port.follow();
      return new Store(port, info, { keys, values });
    } catch (error) {
      port.terminate();
      throw error;
    }
  },

  /** Asks the browser not to clear this site's storage when space is short; says whether it agreed. */
  async persist() {
    return (await globalThis.navigator?.storage?.persist?.()) ?? false;
  },
};

/** In this form bundlers find the worker and take it along. */
const spawn = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

/** Messages to a worker and their answers. */
class WorkerPort {
  #worker;
  #number = 0;
  #waiting = new Map();
  #events = new AbortController();

  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => {
      const { id, ...answer } = heard(data);
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (answer.e) call?.reject(unpack(answer.e));
      else call?.resolve(answer);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(fault("worker", `the store's worker failed: ${event.message ?? "it could not be loaded"}`));
    };
  }

  #post(make) {
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(make(id));
    });
  }

  ask(message) {
    return this.#post((id) => ({ id, ...message }));
  }

  send(message) {
    return this.#post((id) => written(id, message));
  }

  /** A page that is frozen must not lead. */
  follow() {
    const { signal } = this.#events;
    const on = (target, event, act) =>
      target?.addEventListener?.(event, (e) => (e.persisted ?? true) && this.ask({ act }).catch(() => {}), { signal });
    on(globalThis, "pagehide", "pause");
    on(globalThis, "pageshow", "resume");
    on(globalThis.document, "freeze", "pause");
    on(globalThis.document, "resume", "resume");
  }

  async close() {
    try {
      await this.ask({ act: "close" });
    } finally {
      this.terminate();
    }
  }

  terminate() {
    this.#end(fault("terminated", "the store was ended; what was under way may have been done or not"));
  }

  #end(error) {
    this.#events.abort();
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
