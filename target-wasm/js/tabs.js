// One store, several tabs. The tab that has the Web Lock leads: its worker owns
// the medium. Workers of other tabs send their messages to it.
//
// They speak over a BroadcastChannel: it needs no shared worker and no service
// worker, reaches a worker without the page's main thread, and a port cannot be
// handed from tab to tab without one of those two. When the leader goes, its
// lock goes with it, however it went; the next in line opens the store and says
// so, and everyone sends again what was not answered. The new leader knows from
// the store what had been applied (answers.js).
import { Answers } from "./answers.js";
import { fault, pack } from "./errors.js";
import { Server } from "./server.js";

/** A leader that is silent for two of these is not waited for; milliseconds. */
const SILENCE = 5_000;

export const scope = (name) => `indelible:${name}`;

export class Tabs {
  #name;
  #open;
  #id = crypto.randomUUID().slice(0, 13);
  #channel;
  #locks = new AbortController();
  #leave = () => {};
  #resign;
  #server;
  #leader;
  #info;
  #opened = {};
  #number = 0;
  #pending = new Map();
  #running = new Set();
  #watched = new Set();
  #watch;
  #heard = true;
  #paused = false;
  #contending = false;
  #leading = false;

  /** `open()` opens the store: `{ engine, info, reopen }`. */
  constructor(name, open) {
    this.#name = scope(name);
    this.#open = open;
  }

  /** Leads or follows; what the leader found on opening. */
  async start() {
    const opened = new Promise((resolve, reject) => (this.#opened = { resolve, reject }));
    await this.#appear();
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.resume();
    return opened;
  }

  /** Answers a message: a promise that never fails. */
  submit(message) {
    if (this.#server) return this.#server.submit(message);
    if (!this.#contending && !this.#paused) this.resume();
    return new Promise((answer) => {
      const number = ++this.#number;
      this.#pending.set(number, { message: { ...message, l: false, s: number }, answer });
      if (this.#leader) this.#send(number);
      this.#listen();
    });
  }

  /** The tab may be frozen from now on: another one has to lead. */
  async pause() {
    this.#paused = true;
    this.#locks.abort();
    await this.#resign?.();
  }

  resume() {
    this.#paused = false;
    this.#contending = true;
    this.#locks = new AbortController();
    this.#leader = undefined;
    const { signal } = this.#locks;
    navigator.locks.request(this.#name, { signal }, () => this.#lead()).catch(() => {});
    this.#say({ hello: this.#id });
    this.#listen();
  }

  async close() {
    await this.pause();
    clearInterval(this.#watch);
    this.#channel.close();
    this.#leave();
  }

  /** Holds a lock of its own, by which a leader sees that this tab is there. */
  #appear() {
    return new Promise((there) => {
      navigator.locks.request(`${this.#name}:${this.#id}`, () => {
        there();
        return new Promise((leave) => (this.#leave = leave));
      });
    });
  }

  #say(message) {
    this.#channel.postMessage(message);
  }

  async #lead() {
    let store;
    this.#leading = true;
    try {
      store = await this.#open();
      const answers = new Answers();
      this.#server = new Server(store.engine, { reopen: store.reopen, answers });
      this.#listened();
      for (const client of answers.clients) if (client !== this.#id) this.#guard(client);
      this.#info = store.info;
    } catch (error) {
      this.#leading = this.#contending = false;
      return this.#fail(error);
    }
    const resigned = new Promise((done) => {
      this.#resign = async () => {
        this.#resign = undefined;
        const server = this.#server;
        this.#server = this.#leader = undefined;
        try {
          const left = await server.close();
          for (const { message, answer } of left) this.submit(message).then(answer);
        } finally {
          this.#leading = false;
          this.#watched.clear();
          done();
        }
      };
    });
    if (this.#paused) return this.#resign();
    this.#leader = this.#id;
    this.#say({ leader: this.#id, info: this.#info });
    this.#opened.resolve(this.#info);
    this.#own();
    await resigned;
  }

  /** What this tab had sent to the leader before it. */
  async #own() {
    const server = this.#server;
    const low = this.#low();
    const mine = [...this.#pending];
    await Promise.all(
      mine.map(async ([number, { message }]) => {
        this.#answer(number, await server.submit({ ...message, low }, this.#id));
      }),
    );
    server.leave(this.#id);
  }

  #low() {
    return this.#pending.keys().next().value;
  }

  #send(number) {
    const { message } = this.#pending.get(number);
    this.#say({ to: this.#leader, from: this.#id, m: { ...message, low: this.#low() } });
  }

  #answer(number, answer) {
    this.#pending.get(number)?.answer(answer);
    this.#pending.delete(number);
    if (!this.#pending.size) this.#listened();
  }

  #hear(said) {
    if (said.to !== undefined && said.to !== this.#id) return;
    if (said.to || said.leader) this.#heard = true;
    if (said.ping && this.#leading) this.#say({ to: said.ping, alive: true });
    if (this.#server) {
      if (said.hello) this.#welcome(said.hello);
      else if (said.m) this.#serve(said.from, said.m);
    } else if (said.leader) {
      this.#follow(said);
    } else if (said.answer) {
      this.#answer(said.s, said.answer);
    } else if (said.locked) {
      this.#fail(fault("locked", "a synchronous store has this store open"));
    }
  }

  #welcome(client) {
    this.#guard(client);
    this.#say({ to: client, leader: this.#id, info: this.#info });
  }

  #follow({ leader, info }) {
    if (this.#paused || this.#leader === leader) return;
    this.#leader = leader;
    this.#info = { ...info, created: false };
    this.#opened.resolve(this.#info);
    for (const number of this.#pending.keys()) this.#send(number);
    if (!this.#pending.size) this.#listened();
  }

  async #serve(client, message) {
    // A leader that just announced itself may be sent the same twice.
    const name = `${client}:${message.s}`;
    if (this.#running.has(name)) return;
    this.#running.add(name);
    this.#guard(client);
    const answer = await this.#server.submit(message, client);
    this.#running.delete(name);
    this.#say({ to: client, s: message.s, answer });
  }

  /** Waits for the lock of another tab: having it means that the tab is gone. */
  #guard(client) {
    if (this.#watched.has(client)) return;
    this.#watched.add(client);
    const { signal } = this.#locks;
    navigator.locks
      .request(`${this.#name}:${client}`, { signal }, () => {
        this.#watched.delete(client);
        this.#server?.leave(client);
      })
      .catch(() => {});
  }

  /** Gives up on a leader that does not answer. */
  #listen() {
    this.#heard = true;
    this.#watch ??= setInterval(() => {
      if (this.#leading || this.#paused) return;
      if (!this.#heard) return this.#fail(silent());
      this.#heard = false;
      this.#say({ ping: this.#id });
    }, SILENCE);
  }

  #listened() {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #fail(error) {
    const packed = pack(error);
    this.#opened.reject(error);
    for (const number of [...this.#pending.keys()]) this.#answer(number, { e: packed });
  }
}

const silent = () =>
  fault("unresponsive", "the tab that has the store open does not answer; what was asked of it may have been done or not");
