// The engine's side: messages that have arrived together run as one commit.
import { fault, pack } from "./errors.js";

/** How long a transaction may keep others waiting, in milliseconds. */
const PATIENCE = 10_000;

/** Runs code behind every message that has already arrived in this thread. */
function later(run) {
  if (globalThis.setImmediate) return { run: () => setImmediate(run), close() {} };
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = run;
  return { run: () => port2.postMessage(0), close: () => port1.close() };
}

export class Server {
  #engine;
  #reopen;
  #answers;
  #failed;
  #queue = [];
  #busy = false;
  #scheduled = false;
  #later = later(() => this.#turn());
  #hold;
  #idle = [];

  /**
   * `engine` is open; `reopen(failed, options)` closes it and opens it again;
   * `answers` is an Answers, where other tabs write too.
   */
  constructor(engine, { reopen, answers }) {
    this.#engine = engine;
    this.#reopen = reopen;
    this.#answers = answers;
    answers?.load(engine);
  }

  /** Answers a message of `client`: a promise that never fails. */
  submit(message, client = "") {
    return new Promise((answer) => {
      const job = { message, client, answer };
      if (this.#quiet() && !message.w && !message.t && !message.solo) {
        this.#read(job);
        answer(reply(job));
      } else {
        this.#queue.push(job);
        this.#wake(message.l);
      }
    });
  }

  /** `client` is gone: nothing waits for it any more. */
  leave(client) {
    this.#queue = this.#queue.filter((job) => job.client !== client);
    if (this.#hold?.client === client) this.#release();
    this.#answers?.forget(client);
  }

  /** Runs what may run, and closes the engine. This tab's own messages that still wait for a hold are given back. */
  async close() {
    while (this.#busy || this.#queue.some((job) => this.#may(job))) {
      await new Promise((done) => this.#idle.push(done));
    }
    const left = this.#queue.filter((job) => job.client === "");
    this.#later.close();
    clearTimeout(this.#hold?.timer);
    if (this.#failed) await this.#engine?.medium.close();
    else await this.#finish();
    return left;
  }

  /** Ends it as if the thread had: nothing is closed but the medium. */
  abandon() {
    this.#queue = [];
    this.#later.close();
    clearTimeout(this.#hold?.timer);
    this.#engine?.medium.close();
  }

  async #finish() {
    const engine = this.#engine;
    const tidied = this.#answers?.tidy();
    if (tidied) {
      engine.apply(tidied);
      engine.commit();
    }
    engine.close();
    await engine.medium.settle?.();
  }

  #quiet() {
    return !this.#busy && !this.#failed && this.#queue.length === 0;
  }

  /** A message whose sender waits for nothing else runs at once, others behind all that have arrived. */
  #wake(alone = false) {
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    if (alone) queueMicrotask(() => this.#turn());
    else this.#later.run();
  }

  async #turn() {
    this.#scheduled = false;
    this.#busy = true;
    for (let round = this.#round(); round.length; round = this.#round()) {
      await this.#run(round);
      for (const job of round) job.answer(reply(job));
    }
    this.#busy = false;
    for (const done of this.#idle.splice(0)) done();
  }

  /** Takes from the queue what may run now, up to a message that runs alone. */
  #round() {
    const round = [];
    const rest = [];
    let full = false;
    for (const job of this.#queue) {
      full ||= job.message.solo && round.length > 0;
      if (full || !this.#may(job)) {
        rest.push(job);
        continue;
      }
      this.#take(job);
      round.push(job);
      full = job.message.solo;
    }
    this.#queue = rest;
    return round;
  }

  /** Whether a transaction does not keep this waiting. */
  #may({ client, message }) {
    const hold = this.#hold;
    if (!hold || (hold.client === client && hold.id === message.t)) return true;
    if (message.x || !(message.w || message.t || message.solo)) return true;
    hold.timer ??= setTimeout(() => this.#hold === hold && this.#release(), PATIENCE);
    return false;
  }

  /** A transaction's first read takes the hold; its commit or end lets go. */
  #take(job) {
    const { client, message } = job;
    if (!message.t) return;
    const mine = this.#hold?.client === client && this.#hold.id === message.t;
    const last = message.w || message.x;
    if (mine && last) this.#release();
    else if (message.b) this.#hold = { client, id: message.t };
    else if (!mine && !message.x && !this.#answers?.known(job)) job.error = lost();
  }

  #release() {
    clearTimeout(this.#hold?.timer);
    this.#hold = undefined;
    if (this.#queue.length) this.#wake();
  }

  async #run(round) {
    try {
      if (this.#failed && round.some(changes)) await this.#restart();
      if (this.#failed) for (const job of round) if (changes(job)) job.error ??= this.#failed;
      if (!this.#engine) throw this.#failed;
      if (!this.#commit(round)) for (const job of round) this.#commit([job]);
      await this.#engine.medium.settle?.();
    } catch (error) {
      for (const job of round) job.error ??= error;
      await this.#restart();
    }
  }

  /**
   * After its medium failed the engine may know more than is durable: it is
   * opened again, and shows what is. Where that fails too, for reading only
   * until something is to be written.
   */
  async #restart() {
    const failed = this.#engine;
    this.#engine = undefined;
    try {
      this.#engine = await this.#reopen(failed, {});
      this.#failed = undefined;
    } catch (error) {
      this.#failed = error;
      this.#engine = await this.#reopen(undefined, { readOnly: true }).catch(() => undefined);
    }
    if (this.#engine) this.#answers?.load(this.#engine);
  }

  /** Runs jobs as one commit. False: a transaction among them failed, and nothing was done. */
  #commit(round) {
    const engine = this.#engine;
    for (const job of round) {
      if (job.error) continue;
      const failed = this.#change(job);
      if (failed) {
        engine.abort();
        if (round.length > 1) return false;
        job.error = failed;
        return true;
      }
      this.#read(job);
    }
    if (!round.some(changes)) return true;
    const record = this.#answers?.record(round);
    if (record) engine.apply(record);
    engine.commit();
    return true;
  }

  /** The error that a transaction fails with. */
  #change(job) {
    const { w, a } = job.message;
    if (!w || this.#answers?.known(job)) return undefined;
    job.w = this.#engine.apply(w);
    return a ? job.w.find((result) => result instanceof Error) : undefined;
  }

  #read(job) {
    job.r = job.message.r?.map(([what, ...rest]) => {
      try {
        return reads[what](this.#engine, ...rest);
      } catch (error) {
        return error;
      }
    });
  }
}

const changes = ({ message }) => message.w || message.solo;

const lost = () =>
  fault("transaction_lost", "the transaction kept others waiting too long, or the tab that led went away: nothing of it was applied");

/** What a message can ask. */
const reads = {
  g: (engine, key, as) => engine.get(key, as),
  h: (engine, key) => engine.has(key),
  n: (engine) => engine.size,
  s: (engine, range) => engine.scan(range),
  l: (engine, log, from, length) => engine.read(log, from, length),
  p: (engine, log) => engine.span(log),
  c: (engine) => engine.check(),
  v: (engine) => engine.stats(),
  x: (engine) => engine.export(),
  i: (engine, image) => engine.import(image),
  z: (engine, size) => engine.resize(size),
};

const plain = (value) => (value instanceof Error ? { fault: pack(value) } : value);

/** What a job's caller is told: as little as says it. */
function reply({ error, w, r }) {
  if (error) return { e: pack(error) };
  const told = {};
  if (w?.some((result) => result !== undefined)) told.w = w.map(plain);
  if (r) told.r = r.map(plain);
  return told;
}
