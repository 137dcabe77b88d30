// A transaction from the page. What it changes waits here until the body
// returns, and then goes out as one message, one commit. With its first read it
// takes the store's hold: until it ends, nobody else writes, in this tab or
// another. So transactions are serializable; whoever reads without one sees
// what was last committed.
import { APPEND, CLEAR, DELETE, HEAD, Ops, SET, bytes, compare, decode, encoding, key, position, range, whole, within } from "./codec.js";
import { fault, unpack } from "./errors.js";
import { walk } from "./walk.js";

const none = new Uint8Array(0);

/** A string with one character a byte: a key of a Map, in the order of keys. */
function exact(key) {
  let text = "";
  for (let i = 0; i < key.length; i += 8192) text += String.fromCharCode(...key.subarray(i, i + 8192));
  return text;
}

export class Transaction {
  #id;
  #ask;
  #as;
  #logs = new Ops();
  #changes = new Map();
  #cleared = false;
  #tails = new Map();
  #held = false;
  #done = false;

  constructor(id, { ask, keys, values }) {
    this.#id = id;
    this.#ask = ask;
    this.#as = { keys, values };
  }

  async run(body) {
    try {
      const result = await body(this);
      await this.#commit();
      return result;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async get(name, as) {
    name = bytes(key(name));
    as = encoding(as, this.#as.values);
    const changed = this.#change(name);
    return changed ? decode(changed.value, as) : this.#read(["g", name, as]);
  }

  async has(name) {
    name = bytes(key(name));
    const changed = this.#change(name);
    return changed ? changed.value !== undefined : this.#read(["h", name]);
  }

  async set(name, value) {
    this.#put(bytes(key(name)).slice(), bytes(value, "a value").slice());
  }

  /** Does not say whether it was there: that would take a message. */
  async delete(name) {
    this.#put(bytes(key(name)).slice());
  }

  async clear() {
    this.#alive();
    this.#changes.clear();
    this.#cleared = true;
  }

  entries(options) {
    return this.#walk(options, true);
  }

  keys(options) {
    return this.#walk(options, false);
  }

  log(number) {
    whole(number, "a log");
    return {
      append: async (value) => {
        value = bytes(value, "what is appended");
        const tail = await this.#tail(number);
        this.#logs.push(APPEND, none, value, number);
        this.#tails.set(number, tail + value.length);
        return tail;
      },
      read: async (from, length, as = "bytes") => decode(await this.#read(["l", number, from, length]), as),
      advanceHead: async (to) => {
        this.#alive();
        this.#logs.push(HEAD, none, position(to), number);
      },
      state: () => this.#read(["p", number]),
    };
  }

  #alive() {
    if (this.#done) throw fault("transaction_done", "the transaction has ended");
  }

  #change(key) {
    this.#alive();
    const found = this.#changes.get(exact(key));
    return found ?? (this.#cleared ? { value: undefined } : undefined);
  }

  #put(key, value) {
    this.#alive();
    this.#changes.set(exact(key), { key, value });
  }

  /** Everything changed, packed; nothing where nothing was. */
  #packed() {
    const ops = this.#logs;
    if (this.#cleared) ops.push(CLEAR, none, none);
    for (const { key, value } of this.#changes.values()) {
      if (value) ops.push(SET, key, value);
      else if (!this.#cleared) ops.push(DELETE, key, none);
    }
    return ops.count ? ops.take() : undefined;
  }

  async #read(read) {
    this.#alive();
    const message = { t: this.#id, r: [read] };
    if (!this.#held) message.b = true;
    this.#held = true;
    const { r } = await this.#ask(message);
    if (r[0]?.fault) throw unpack(r[0].fault);
    this.#alive();
    return r[0];
  }

  async #tail(log) {
    if (!this.#tails.has(log)) {
      const { tail } = await this.#read(["p", log]);
      if (!this.#tails.has(log)) this.#tails.set(log, tail);
    }
    return this.#tails.get(log);
  }

  /** What is stored and what was changed here, merged in order. */
  async *#walk(options, values) {
    this.#alive();
    const wanted = range(options);
    const keys = encoding(options?.keys, this.#as.keys);
    const as = encoding(options?.values, this.#as.values);
    const shape = (key, value) => (values ? [decode(key, keys), decode(value, as)] : decode(key, keys));
    const sign = wanted.reverse ? -1 : 1;
    const own = [...this.#changes.values()]
      .filter(({ key }) => within(key, wanted))
      .sort((a, b) => sign * compare(a.key, b.key));
    const stored = this.#cleared
      ? []
      : walk((page) => this.#read(["s", page]), { ...wanted, limit: Infinity }, values, (key, value) => ({ key, value }));
    let left = wanted.limit;
    for await (const { key, value } of merge(stored, own, sign)) {
      if (left-- <= 0) return;
      yield shape(key, value);
    }
  }

  async #commit() {
    this.#alive();
    const w = this.#packed();
    if (!w) return this.#end();
    this.#done = true;
    const message = { a: true, w };
    if (this.#held) message.t = this.#id;
    if (this.#cleared) message.c = true;
    this.#held = false; // The commit lets go, whatever comes of it.
    await this.#ask(message);
  }

  #end() {
    this.#done = true;
    if (this.#held) this.#ask({ t: this.#id, x: true }).catch(() => {});
    this.#held = false;
  }
}

/** Two ordered runs as one; where both have a key `own` prevails, and hides what it deleted. */
async function* merge(stored, own, sign) {
  let next = 0;
  for await (const entry of stored) {
    let order;
    while (next < own.length && (order = sign * compare(own[next].key, entry.key)) < 0) {
      if (own[next].value !== undefined) yield own[next];
      next++;
    }
    if (next < own.length && order === 0) continue;
    yield entry;
  }
  for (; next < own.length; next++) if (own[next].value !== undefined) yield own[next];
}
