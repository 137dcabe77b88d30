// The asynchronous store: what pages and Node see. It knows no medium and no
// thread, only a port that takes messages and answers them in order.
import { APPEND, CLEAR, DELETE, HEAD, Ops, SET, bytes, data, decode, encoding, key, position, range, whole } from "./codec.js";
import { fault, unpack } from "./errors.js";
import { Transaction } from "./transaction.js";
import { walk } from "./walk.js";

const disposal = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
const none = new Uint8Array(0);

export class Store {
  #port;
  #info;
  #keys;
  #values;
  #open = true;
  #ops = new Ops();
  #batch;
  #under_way = new Set();
  #transactions = 0;

  /** `port` as in `connect` of worker-port.js; `info` is what opening found. */
  constructor(port, info, { keys, values }) {
    this.#port = port;
    this.#info = info;
    this.#keys = encoding(keys, "text");
    this.#values = encoding(values, "text");
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
    return this.#reading(() => ["g", key(name), encoding(as, this.#values)]);
  }

  has(name) {
    return this.#reading(() => ["h", key(name)]);
  }

  size() {
    return this.#reading(() => ["n"]);
  }

  set(name, value) {
    return this.#change(() => [SET, key(name), data(value, "a value")]);
  }

  delete(name) {
    return this.#change(() => [DELETE, key(name), none]);
  }

  clear() {
    return this.#change(() => [CLEAR, none, none]);
  }

  entries(options) {
    return this.#walk(options, true, (key, value) => [key, value]);
  }

  keys(options) {
    return this.#walk(options, false, (key) => key);
  }

  [Symbol.asyncIterator]() {
    return this.entries();
  }

  log(number) {
    return new Log(number, {
      reading: (make) => this.#reading(make),
      change: (make) => this.#change(make),
    });
  }

  /** See Transaction for what is isolated from what. */
  async transaction(body) {
    const transaction = new Transaction(++this.#transactions, {
      ask: (message) => this.#ask(message),
      keys: this.#keys,
      values: this.#values,
    });
    return transaction.run(body);
  }

  check() {
    return this.#alone(["c"]);
  }

  stats() {
    return this.#reading(() => ["v"]);
  }

  export() {
    return this.#alone(["x"]);
  }

  async import(image) {
    await this.#alone(["i", bytes(image instanceof Blob ? await image.arrayBuffer() : image, "an image")]);
  }

  async resize(size) {
    await this.#alone(["z", whole(size, "a size")]);
  }

  async close() {
    if (!this.#open) return;
    this.#send();
    this.#open = false;
    await Promise.allSettled(this.#under_way);
    await this.#port.close();
  }

  /** Ends the store as a crash of the tab would: at once, nothing is closed. */
  terminate() {
    this.#open = false;
    this.#port.terminate();
  }

  [disposal]() {
    return this.close();
  }

  // Calls of one microtask travel in one message: first its changes, which
  // become durable together, then its reads. A change behind a read begins the
  // next message, so that calls take effect in the order they were made.

  #current() {
    if (!this.#open) throw fault("closed", "the store is closed");
    if (!this.#batch) {
      const batch = (this.#batch = { reads: [], writers: [], readers: [], cleared: false });
      queueMicrotask(() => this.#batch === batch && this.#send());
    }
    return this.#batch;
  }

  #reading(make) {
    return new Promise((resolve, reject) => {
      const read = make();
      const batch = this.#current();
      batch.reads.push(read);
      batch.readers.push({ resolve, reject });
    });
  }

  #change(make) {
    return new Promise((resolve, reject) => {
      const [kind, key, value, log] = make();
      if (this.#batch?.reads.length) this.#send();
      const batch = this.#current();
      this.#ops.push(kind, key, value, log);
      batch.cleared ||= kind === CLEAR;
      batch.writers.push({ resolve, reject });
    });
  }

  #send() {
    const batch = this.#batch;
    if (!batch) return;
    this.#batch = undefined;
    const message = {};
    if (batch.writers.length) message.w = this.#ops.take();
    if (batch.cleared) message.c = true;
    if (batch.reads.length) message.r = batch.reads;
    this.#ask(message).then(
      ({ w, r }) => {
        batch.writers.forEach((call, i) => settle(call, w?.[i]));
        batch.readers.forEach((call, i) => settle(call, r?.[i]));
      },
      (error) => {
        for (const call of batch.writers) call.reject(error);
        for (const call of batch.readers) call.reject(error);
      },
    );
  }

  #ask(message) {
    if (!this.#open) return Promise.reject(fault("closed", "the store is closed"));
    if (this.#under_way.size === 0) message.l = true;
    const answer = this.#port.send(message);
    this.#under_way.add(answer);
    const done = () => this.#under_way.delete(answer);
    answer.then(done, done);
    return answer;
  }

  /** A call that is a message of its own, behind everything before it. */
  async #alone(read) {
    this.#send();
    const { r } = await this.#ask({ r: [read], solo: true });
    return new Promise((resolve, reject) => settle({ resolve, reject }, r[0]));
  }

  async *#walk(options, values, shape) {
    const wanted = range(options);
    const as = { keys: encoding(options?.keys, this.#keys), values: encoding(options?.values, this.#values) };
    const read = (page) => this.#reading(() => ["s", page]);
    yield* walk(read, wanted, values, (key, value) => shape(decode(key, as.keys), decode(value, as.values)));
  }
}

const settle = ({ resolve, reject }, value) => (value?.fault ? reject(unpack(value.fault)) : resolve(value));

/** One of the store's logs: bytes with contiguous positions. */
class Log {
  #log;
  #calls;

  constructor(number, calls) {
    this.#log = whole(number, "a log");
    this.#calls = calls;
  }

  append(value) {
    return this.#calls.change(() => [APPEND, none, data(value, "what is appended"), this.#log]);
  }

  /** From `from` (the head) on `length` bytes (up to the tail). */
  async read(from, length, as = "bytes") {
    encoding(as);
    const value = await this.#calls.reading(() => [
      "l",
      this.#log,
      from === undefined ? undefined : whole(from, "a position"),
      length === undefined ? undefined : whole(length, "a length"),
    ]);
    return decode(value, as);
  }

  advanceHead(to) {
    return this.#calls.change(() => [HEAD, none, position(to), this.#log]);
  }

  state() {
    return this.#calls.reading(() => ["p", this.#log]);
  }
}
