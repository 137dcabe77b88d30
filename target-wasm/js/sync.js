// The synchronous store: for code that runs in a worker anyway, and for Node.
// Every call is done when it returns, every change durable.
import { bytes, data, decode, encoding, key, range, whole } from "./codec.js";
import { fault } from "./errors.js";
import { pages } from "./walk.js";

const disposal = Symbol.dispose ?? Symbol.for("Symbol.dispose");

export class SyncStore {
  #engine;
  #info;
  #keys;
  #values;
  #closed;

  /** `closed` runs behind a close. */
  constructor(engine, info, { keys, values }, closed) {
    this.#engine = engine;
    this.#info = info;
    this.#keys = encoding(keys, "text");
    this.#values = encoding(values, "text");
    this.#closed = closed;
  }

  get name() {
    return this.#info.name;
  }
  get medium() {
    return this.#info.medium;
  }
  get durability() {
    return this.#info.durability;
  }
  get created() {
    return this.#info.created;
  }
  get report() {
    return this.#info.report;
  }

  get(name, as) {
    return this.#alive().get(key(name), encoding(as, this.#values));
  }

  has(name) {
    return this.#alive().has(key(name));
  }

  size() {
    return this.#alive().size;
  }

  set(name, value) {
    this.#alive().set(key(name), data(value, "a value"));
  }

  /** Says whether it was there. */
  delete(name) {
    return this.#alive().delete(key(name));
  }

  clear() {
    this.#alive().clear();
  }

  entries(options) {
    return this.#walk(options, true);
  }

  keys(options) {
    return this.#walk(options, false);
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  log(number) {
    whole(number, "a log");
    return {
      append: (value) => this.#alive().append(number, data(value, "what is appended")),
      read: (from, length, as = "bytes") => {
        if (from !== undefined) whole(from, "a position");
        if (length !== undefined) whole(length, "a length");
        return decode(this.#alive().read(number, from, length), encoding(as));
      },
      advanceHead: (to) => this.#alive().advanceHead(number, whole(to, "a position")),
      state: () => this.#alive().span(number),
    };
  }

  /**
   * Everything `body` changes becomes durable when it returns, at once; nothing
   * does if it throws. Inside, reads see the changes.
   */
  transaction(body) {
    return this.#alive().transaction(() => {
      const result = body(this);
      if (typeof result?.then === "function") throw fault("type", "the body of a synchronous transaction cannot wait");
      return result;
    });
  }

  check() {
    return this.#alive().check();
  }

  stats() {
    return this.#alive().stats();
  }

  export() {
    return this.#alive().export();
  }

  import(image) {
    this.#alive().import(bytes(image, "an image"));
  }

  /** Takes a copy of `size` bytes in place of the store: what it holds stays. */
  resize(size) {
    this.#alive().resize(whole(size, "a size"));
  }

  close() {
    if (!this.#engine) return;
    const engine = this.#engine;
    this.#engine = undefined;
    try {
      engine.close();
    } finally {
      this.#closed?.();
    }
  }

  [disposal]() {
    this.close();
  }

  #alive() {
    if (!this.#engine) throw fault("closed", "the store is closed");
    return this.#engine;
  }

  *#walk(options, values) {
    const wanted = range(options);
    const keys = encoding(options?.keys, this.#keys);
    const as = encoding(options?.values, this.#values);
    const asked = pages(wanted, values);
    for (let ask = asked.next(); !ask.done; ) {
      const page = this.#alive().scan(ask.value);
      for (let i = 0; i < page.keys.length; i++) {
        const key = decode(page.keys[i], keys);
        yield values ? [key, decode(page.values[i], as)] : key;
      }
      ask = asked.next(page);
    }
  }
}
