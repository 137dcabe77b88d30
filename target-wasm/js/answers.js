// What was applied for other tabs, so that a message sent again after the
// leading tab went away is answered and not applied once more. It is written in
// the same commit as the changes that it is about.
import { DELETE, LEDGER, Ops, SET, text } from "./codec.js";
import { pack } from "./errors.js";

const none = new Uint8Array(0);

export class Answers {
  /** By client, then by number of message: the results, or 0 for results that say nothing. */
  #clients = {};
  #stored = false;

  /** Takes up what an earlier leader left in the store. */
  load(engine) {
    const left = engine.get(LEDGER);
    this.#stored = left !== undefined;
    try {
      this.#clients = left ? JSON.parse(text(left)) : {};
    } catch {
      this.#clients = {}; // Something else wrote it, where this package was not.
    }
  }

  get clients() {
    return Object.keys(this.#clients);
  }

  /** Whether a job was done before; it then gets the results it had. */
  known(job) {
    const results = this.#clients[job.client]?.[job.message.s];
    if (results === undefined || !job.message.w) return false;
    job.w = results ? results.map((result) => result ?? undefined) : undefined;
    job.known = true;
    return true;
  }

  /** The change that goes with a round of jobs, packed; none where none of them needs it. */
  record(round) {
    let changed = round.some(({ message }) => message.c || message.solo) && this.#stored;
    for (const { client, message, w, error, known } of round) {
      if (!message.s || !message.w || known || error) continue;
      const answered = (this.#clients[client] ??= {});
      for (const number in answered) if (number < message.low) delete answered[number];
      const plain = (result) => (result instanceof Error ? { fault: pack(result) } : result);
      answered[message.s] = w.some((result) => result !== undefined) ? w.map(plain) : 0;
      changed = true;
    }
    return changed ? this.#packed() : undefined;
  }

  /** `client` will not ask again. */
  forget(client) {
    delete this.#clients[client];
  }

  /** The change that brings the store in line before it is closed. */
  tidy() {
    return this.#stored ? this.#packed() : undefined;
  }

  #packed() {
    const ops = new Ops();
    this.#stored = this.clients.length > 0;
    if (this.#stored) ops.push(SET, LEDGER, JSON.stringify(this.#clients));
    else ops.push(DELETE, LEDGER, none);
    return ops.take();
  }
}
