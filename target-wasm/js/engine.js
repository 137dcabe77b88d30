// The store over a synchronous medium: wasm and nothing that waits. It runs in a
// worker over a file, in Node over a file, and anywhere over memory.
//
// A medium is `{ size, created?, read(at, bytes), write(at, bytes), flush(),
// replace(size, runs), close() }`. Each throws where it fails, also for what was
// short. `created` says that nothing was ever written to it. `replace` exchanges
// the content, all or nothing: `size` bytes, and in them runs of `[at, bytes]`.
import init, { Handle } from "../dist/indelible.js";
import { APPEND, CLEAR, DELETE, HEAD, LEDGER, SET, compare, position, text } from "./codec.js";
import { coded, finding } from "./codes.js";
import { fault } from "./errors.js";
import { openMemory } from "./medium-memory.js";
import { shape } from "./shape.js";
import { pages } from "./walk.js";

const ABSENT = -1;
const FAILED = -2;
/** A store is in memory as a whole. */
const LARGEST = 2 ** 30;
/** Bytes of a log that are copied at a time. */
const PART = 2 ** 16;
const encoder = new TextEncoder();

let wasm;

/** Loads the engine, once: from a URL, a response, a compiled module or its bytes. */
export async function loadEngine(source = new URL("../dist/indelible.wasm", import.meta.url)) {
  wasm ??= await init({ module_or_path: await source });
}

/** Asks a medium, and keeps what it throws. */
class Port {
  cause;
  /** Runs that wait for the end of a creation. */
  held;

  constructor(medium) {
    this.medium = medium;
  }

  read(at, bytes) {
    return this.#did(() => this.medium.read(at, bytes));
  }

  write(at, bytes) {
    if (this.held) return !!this.held.push([at, bytes.slice()]);
    return this.#did(() => this.medium.write(at, bytes));
  }

  flush() {
    return this.held ? true : this.#did(() => this.medium.flush());
  }

  #did(what) {
    try {
      what();
      return true;
    } catch (error) {
      this.cause = error;
      return false;
    }
  }
}

/** A store. Everything here is synchronous; keys and values are bytes. */
export class Store {
  #handle = new Handle();
  #port;
  #inside = false;
  // Views of the engine's memory. When that grows they are left with no length.
  #memory = new Uint8Array();
  #room = new Uint8Array();

  /** Use `Store.open`. */
  constructor(medium) {
    this.#port = new Port(medium);
    this.medium = medium;
    this.created = false;
  }

  /**
   * Opens the store on a medium, or makes one where the medium is blank.
   * Options of a new store: `logs` (bytes of each), `segmentSize`, `nonce`.
   */
  static open(medium, options = {}) {
    if (!wasm) throw fault("usage", "load the engine first: await loadEngine()");
    const store = new Store(medium);
    try {
      store.#open(options);
    } catch (error) {
      // A handle that ran out of memory cannot be used any more, not even for that.
      if (error.code !== "memory") store.#handle.free();
      throw error;
    }
    return store;
  }

  #open({ logs = [], segmentSize, nonce, readOnly = false }) {
    const { size } = this.medium;
    if (size > LARGEST) {
      throw fault("memory", `a store of ${size} bytes is larger than the ${LARGEST} that are held in memory`, { size, limit: LARGEST });
    }
    const create = this.medium.created || this.#isBlank();
    if (create && readOnly) throw fault("not_a_store", "there is no store");
    const words = new BigUint64Array(logs.map((bytes) => BigInt(bytes)));
    this.#put(0, new Uint8Array(words.buffer));
    nonce ??= crypto.getRandomValues(new BigUint64Array(1))[0];
    if (create) this.#port.held = [];
    this.#done(
      this.#enough(
        this.#port,
        size,
        create,
        readOnly,
        Number(BigInt(nonce) >> 32n),
        Number(BigInt(nonce) & 0xffffffffn),
        segmentSize ?? 0,
        logs.length,
      ),
    );
    if (create) this.#keep();
    this.created = create;
    this.report = this.#report();
    this.about = this.#about();
    if (!readOnly && this.about.size < this.medium.size) this.medium.trim?.(this.about.size);
  }

  /** Opens the handle; memory that the system does not give is an error like others. */
  #enough(...how) {
    try {
      return this.#handle.open(...how);
    } catch (cause) {
      if (cause instanceof WebAssembly.RuntimeError) throw coded(27, [], { cause });
      throw cause;
    }
  }

  /** Whether the medium has a size and nothing in it: it was being made. */
  #isBlank() {
    const bytes = new Uint8Array(64 * 1024);
    for (let at = 0; at < this.medium.size; at += bytes.length) {
      const part = bytes.subarray(0, this.medium.size - at);
      if (!this.#port.read(at, part)) throw coded(1, [0, at], { cause: this.#port.cause });
      if (part.some((byte) => byte !== 0)) return false;
    }
    return true;
  }

  /** What making the store wrote goes to the medium, all or nothing. */
  #keep() {
    const runs = this.#port.held;
    this.#port.held = undefined;
    this.medium.replace(this.medium.size, runs);
  }

  // Calls: arguments into the engine's memory, answers out of it.

  /** Memory of the engine with room for `length` bytes of input. */
  #input(length) {
    if (this.#room.length <= length) {
      const size = Math.max(length + 1, 1024);
      const at = this.#handle.input(size);
      this.#room = new Uint8Array(wasm.memory.buffer, at, size);
    }
    return this.#room;
  }

  /** Puts bytes, or a string's, into the input; where they end. */
  #put(at, data) {
    if (typeof data !== "string") {
      this.#input(at + data.length).set(data, at);
      return at + data.length;
    }
    const into = this.#input(at + data.length * 3);
    // Short ASCII by hand: the encoder's call costs more.
    if (data.length < 48) {
      let i = 0;
      for (; i < data.length; i++) {
        const unit = data.charCodeAt(i);
        if (unit > 127) break;
        into[at + i] = unit;
      }
      if (i === data.length) return at + i;
    }
    return at + encoder.encodeInto(data, into.subarray(at)).written;
  }

  #done(answer) {
    if (answer === FAILED) throw this.#error();
    return answer;
  }

  #error() {
    const handle = this.#handle;
    const { cause } = this.#port;
    this.#port.cause = undefined;
    const number = handle.figure(0);
    if (number === 1 && cause?.code && typeof cause.code === "string" && cause.message) return cause;
    return coded(number, [handle.figure(1), handle.figure(2), handle.figure(3)], cause && { cause });
  }

  /** The engine's memory. */
  #all() {
    if (this.#memory.length === 0) this.#memory = new Uint8Array(wasm.memory.buffer);
    return this.#memory;
  }

  /** The bytes of the last answer, copied. */
  #answer() {
    const at = this.#handle.at();
    return this.#all().slice(at, at + this.#handle.length());
  }

  // Keys and values.

  /** The value of a key, as bytes or "text"; `undefined` where there is none. */
  get(key, as) {
    const length = this.#done(this.#handle.get(this.#put(0, key)));
    if (length === ABSENT) return undefined;
    const at = this.#handle.at();
    return as === "text" ? text(this.#all(), at, at + length) : this.#all().slice(at, at + length);
  }

  has(key) {
    return this.#done(this.#handle.has(this.#put(0, key))) === 1;
  }

  /** How many keys there are. */
  get size() {
    return this.#handle.size() - (this.has(LEDGER) ? 1 : 0);
  }

  /** Whether a transaction is open. */
  get isOpen() {
    return this.#handle.is_open();
  }

  /** Durable when it returns; in a transaction, when that is committed. */
  set(key, value) {
    const middle = this.#put(0, key);
    const end = this.#put(middle, value);
    this.#done(this.#handle.one(SET, middle, end - middle, this.#inside));
  }

  /** Whether the key was there. */
  delete(key) {
    this.#done(this.#handle.one(DELETE, this.#put(0, key), 0, this.#inside));
    return this.#handle.figure(0) === 1;
  }

  /** Deletes every key; how many there were. */
  clear() {
    this.#done(this.#handle.one(CLEAR, 0, 0, this.#inside));
    return this.#handle.figure(0);
  }

  #results() {
    const at = this.#handle.at();
    return new Float64Array(wasm.memory.buffer, at, this.#handle.length() / 8);
  }

  /** Applies encoded operations in the open transaction; a result for each. */
  apply(ops) {
    this.#done(this.#handle.apply(this.#put(0, ops)));
    return this.#decode(ops);
  }

  #decode(ops) {
    const rows = this.#results();
    const results = [];
    let at = 0;
    for (let i = 0; i < rows.length; i += 4) {
      const kind = ops[at];
      at += length(ops, at);
      const answer = rows[i + 1];
      if (rows[i]) results.push(coded(rows[i], rows.subarray(i + 1, i + 4)));
      else if (kind === 1 || kind === 5) results.push(undefined);
      else results.push(kind === 2 ? answer === 1 : answer);
    }
    return results;
  }

  /** One write a run and one flush. */
  commit() {
    this.#done(this.#handle.commit());
  }

  abort() {
    this.#done(this.#handle.abort());
  }

  /** Runs `work(store)`; what it changed is durable when this returns, or, where it throws, gone. */
  transaction(work) {
    if (this.#inside) throw coded(25, []);
    this.#inside = true;
    try {
      const result = work(this);
      if (typeof result?.then === "function") throw fault("usage", "the transaction of a synchronous store cannot wait");
      this.commit();
      return result;
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      this.#inside = false;
    }
  }

  /**
   * One page of keys in order: `{ keys, values, done }`. Ends at `limit` entries
   * or about `bytes` bytes of them; `done` where there is nothing behind.
   */
  scan(range = {}) {
    const { reverse = false, limit = 0xffffffff, values = true, bytes = 65536 } = range;
    const [from, end] = bounds(range);
    const middle = this.#put(0, from);
    const last = end && this.#put(middle, end);
    const count = this.#done(
      this.#handle.scan(middle, end ? last - middle : -1, reverse, values, Math.min(limit, 0xffffffff), bytes),
    );
    const page = { ...entries(this.#answer(), count, values), done: this.#handle.figure(0) === 0 };
    const hidden = page.keys.findIndex((key) => compare(key, LEDGER) === 0);
    if (hidden < 0) return page;
    page.keys.splice(hidden, 1);
    page.values.splice(hidden, 1);
    // Alone on its page it would end the walk.
    if (page.keys.length || page.done) return page;
    return this.scan({ ...range, ...(range.reverse ? { lte: undefined, lt: LEDGER } : { gte: undefined, gt: LEDGER }) });
  }

  // Logs.

  /** Adds bytes to a log; the position of the first of them. */
  append(log, data) {
    this.#done(this.#handle.one(APPEND, log, this.#put(0, data), this.#inside));
    return this.#handle.figure(0);
  }

  /** `length` bytes of a log from a position; by default from the head up to the tail. */
  read(log, from, length) {
    const { head, tail } = this.span(log);
    from ??= head;
    length ??= Math.max(0, tail - from);
    this.#done(this.#handle.read(log, from, length));
    return this.#answer();
  }

  /** Gives up the bytes of a log before a position. */
  advanceHead(log, to) {
    this.#done(this.#handle.one(HEAD, log, this.#put(0, position(to)), this.#inside));
  }

  span(log) {
    const handle = this.#handle;
    this.#done(handle.span(log));
    return { head: handle.figure(0), tail: handle.figure(1), capacity: handle.figure(2) };
  }

  // The whole store.

  #figures(count) {
    return Array.from({ length: count }, (_, i) => this.#handle.figure(i));
  }

  #report() {
    this.#done(this.#handle.report());
    const [clean, torn, healed, damaged, abandoned] = this.#figures(5);
    const rows = this.#results();
    const damages = [];
    for (let i = 0; i < rows.length; i += 4) {
      const what = ["ledger", "records", "log"][rows[i]];
      damages.push({ what, ...(what === "log" && { log: rows[i + 1] }), at: rows[i + 2], length: rows[i + 3] });
    }
    return { clean: clean === 1, torn: torn < 0 ? undefined : torn, healed, damaged, damages, abandoned };
  }

  #about() {
    this.#done(this.#handle.about());
    const [size, segmentSize, logs, keyMax, valueMax, used, capacity] = this.#figures(7);
    return { size, segmentSize, logs, keyMax, valueMax, used, capacity };
  }

  /** Limits and room: `{ size, segmentSize, logs, keyMax, valueMax, used, capacity }`. */
  stats() {
    return (this.about = this.#about());
  }

  /** Reads the medium again and verifies all of it. */
  check() {
    this.#done(this.#handle.check());
    const [frames, entries, logBytes, healed, damaged] = this.#figures(5);
    const answer = this.#answer();
    const view = new DataView(answer.buffer);
    const findings = [];
    for (let at = 0; at < answer.length; ) {
      const [what, log, bit, keyLength] = [0, 4, 8, 12].map((offset) => view.getUint32(at + offset, true));
      const address = view.getFloat64(at + 16, true);
      at += 24;
      const key = keyLength === 0xffffffff ? undefined : answer.slice(at, at + keyLength);
      at += key?.length ?? 0;
      findings.push(finding(what, log, key, address, bit === 1));
    }
    return { ok: damaged === 0, frames, entries, logBytes, healed, damaged, findings };
  }

  /** Accepts what is damaged: it stays lost, and no other answer is withheld for it. */
  acceptDamage() {
    this.#done(this.#handle.accept_damage());
  }

  /** The whole image, as it is on the medium: a store for every build of Indelible. */
  export() {
    if (this.isOpen) throw coded(25, []);
    this.#done(this.#handle.image());
    return this.#answer();
  }

  /** Takes another image in place of what is here, once it was opened and checked. */
  import(image) {
    if (this.isOpen) throw coded(25, []);
    const { findings } = verify(image);
    const lost = findings.find(({ code }) => code === "damaged");
    if (lost) throw fault("corrupt", `the image is not taken: ${lost.message}`, { at: lost.at, findings });
    this.#exchange(image);
  }

  /**
   * Takes a copy of `size` bytes in place of what is here: every key, and the
   * logs, whose positions stay.
   */
  resize(size) {
    if (this.isOpen) throw coded(25, []);
    const { segmentSize, logs } = this.about;
    const spans = Array.from({ length: logs }, (_, log) => this.span(log));
    const wanted = shape({ size: Math.ceil(size / 4096) * 4096, logs: spans.map(({ capacity }) => capacity) });
    const blank = (more) => Store.open(openMemory(wanted.size), { ...wanted, ...more });
    let fresh = blank();
    // A key that fits here fits there.
    if (fresh.about.segmentSize < segmentSize) fresh = blank({ segmentSize });
    try {
      this.#copy(fresh, spans);
    } finally {
      fresh.close();
    }
    const image = new Uint8Array(wanted.size);
    fresh.medium.read(0, image);
    this.#exchange(image);
  }

  #copy(fresh, spans) {
    const ledger = this.get(LEDGER);
    if (ledger) fresh.set(LEDGER, ledger);
    const asked = pages({ limit: Infinity }, true);
    for (let ask = asked.next(); !ask.done; ) {
      const page = this.scan(ask.value);
      fresh.transaction(() => page.keys.forEach((key, i) => fresh.set(key, page.values[i])));
      ask = asked.next(page);
    }
    spans.forEach(({ head, tail, capacity }, log) => {
      // Positions count every byte that there ever was.
      for (let at = 0; at < tail; ) {
        const end = Math.min(at + PART, at + capacity, at < head ? head : tail);
        fresh.append(log, at < head ? new Uint8Array(end - at) : this.read(log, at, end - at));
        if (end <= head) fresh.advanceHead(log, end);
        at = end;
      }
    });
  }

  #exchange(image) {
    const { medium } = this;
    medium.replace(image.length, [[0, image]]);
    medium.created = false;
    this.#handle.free();
    this.#handle = new Handle();
    this.#room = new Uint8Array();
    this.#open({});
  }

  /** Closes store and medium. What was not committed is given up. */
  close() {
    try {
      this.#done(this.#handle.close());
    } finally {
      this.medium.close();
    }
  }
}

/** Opens an image for reading and checks all of it; the findings. */
function verify(image) {
  const store = Store.open(openMemory(image), { readOnly: true });
  try {
    return store.check();
  } finally {
    store.close();
  }
}

/** Bytes of an encoded operation. */
function length(ops, at) {
  const a = ops[at] < 4 ? ops[at + 2] | (ops[at + 3] << 8) : 0;
  const b = ops[at + 4] | (ops[at + 5] << 8) | (ops[at + 6] << 16) | (ops[at + 7] << 24);
  return 8 + a + (b >>> 0);
}

/** The first key that is in a range, and the first behind it or `undefined`. */
function bounds({ gte, gt, lt, lte, prefix }) {
  const none = new Uint8Array();
  let from = gt ? after(gt) : (gte ?? none);
  let end = lte ? after(lte) : lt;
  if (prefix?.length) {
    if (compare(prefix, from) > 0) from = prefix;
    const behind = successor(prefix);
    if (behind && (!end || compare(behind, end) < 0)) end = behind;
  }
  return [from, end];
}

/** The key right behind one. */
function after(key) {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The first key behind all that start with a prefix. */
function successor(prefix) {
  let last = prefix.length - 1;
  while (last >= 0 && prefix[last] === 255) last--;
  if (last < 0) return undefined;
  const next = prefix.slice(0, last + 1);
  next[last]++;
  return next;
}

/** The keys and values of a page. */
function entries(bytes, count, wanted) {
  const view = new DataView(bytes.buffer);
  const keys = [];
  const values = [];
  for (let at = 0; count > 0; count--) {
    const key = view.getUint32(at, true);
    const value = view.getUint32(at + 4, true);
    at += 8;
    keys.push(bytes.slice(at, (at += key)));
    if (wanted) values.push(bytes.slice(at, at + value));
    at += value;
  }
  return { keys, values };
}
