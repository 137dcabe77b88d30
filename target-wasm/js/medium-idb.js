// A medium in IndexedDB, for browsers without synchronous file handles.
//
// The whole image is in memory. What a commit wrote goes into one record of
// `log`, in a transaction with strict durability; the engine's caller waits for
// `settle`. When the log has grown, the same transaction brings the pages up to
// date and empties it. Opening reads the pages and applies the records in
// order. The bytes need no checksum here: the store has its own.
import { fault } from "./errors.js";

const PAGE = 16 * 1024;
/** Records and bytes of the log at which it goes into the pages. */
const RECORDS = 256;
const BYTES = 256 * 1024;

const stores = ["pages", "log", "about"];

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });

function translate(cause) {
  if (typeof cause?.code === "string") return cause;
  return cause?.name === "QuotaExceededError"
    ? fault("quota", "the browser gives this site no more room", { cause })
    : fault("medium", `IndexedDB failed: ${cause?.message ?? "the transaction was aborted"}`, { cause });
}

/** Opens the database `indelible:name`, or makes it for `size` bytes. */
export async function openIndexedDb(name, { size, acceptLoss = false }) {
  let database;
  try {
    const request = indexedDB.open(`indelible:${name}`, 1);
    request.onupgradeneeded = (event) => make(request, event);
    request.onblocked = () => {};
    database = await done(request);
    await notLost(database, acceptLoss);
    return await load(database, size);
  } catch (error) {
    database?.close();
    throw translate(error);
  }
}

/**
 * Chromium deletes all of a site's databases when it finds one damaged, which a
 * kill at the wrong moment suffices for, and says so once: to who makes one
 * anew. That is kept, so that nobody takes the loss for a store never made.
 */
function make({ result, transaction }, { dataLoss = "none", dataLossMessage }) {
  for (const store of stores) result.createObjectStore(store);
  if (dataLoss !== "none") transaction.objectStore("about").put(dataLossMessage, "lost");
}

async function notLost(database, acceptLoss) {
  const how = await done(database.transaction("about").objectStore("about").get("lost"));
  if (how === undefined) return;
  if (!acceptLoss) {
    throw fault(
      "data_lost",
      `the browser found its databases of this site damaged and deleted them, this store with them: ${how}; acceptLoss begins it anew`,
    );
  }
  const transaction = database.transaction("about", "readwrite", { durability: "strict" });
  transaction.objectStore("about").delete("lost");
  await completed(transaction);
}

async function load(database, size) {
  const transaction = database.transaction(stores, "readonly");
  const [pages, log, about] = stores.map((store) => transaction.objectStore(store));
  const [found, numbers, contents, sequence, records] = await Promise.all(
    [about.get("size"), pages.getAllKeys(), pages.getAll(), log.getAllKeys(), log.getAll()].map(done),
  );
  const image = new Uint8Array(found ?? size);
  numbers.forEach((number, i) => image.set(contents[i], number * PAGE));
  for (const record of records) apply(image, record);
  return new IndexedDbMedium(database, image, found === undefined, sequence, records);
}

/** A record is runs: address and length in 4 bytes each, and the bytes. */
function apply(image, record) {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  for (let at = 0; at < record.length; ) {
    const length = view.getUint32(at + 4, true);
    image.set(record.subarray(at + 8, at + 8 + length), view.getUint32(at, true));
    at += 8 + length;
  }
}

function packed(runs) {
  const record = new Uint8Array(runs.reduce((sum, { bytes }) => sum + 8 + bytes.length, 0));
  const view = new DataView(record.buffer);
  let end = 0;
  for (const { at, bytes } of runs) {
    view.setUint32(end, at, true);
    view.setUint32(end + 4, bytes.length, true);
    record.set(bytes, end + 8);
    end += 8 + bytes.length;
  }
  return record;
}

class IndexedDbMedium {
  #database;
  #image;
  #runs = [];
  #dirty = new Set();
  #next;
  #records;
  #bytes;
  #settled = Promise.resolve();
  #failed;

  constructor(database, image, created, sequence, records) {
    this.#database = database;
    this.#image = image;
    this.created = created;
    this.#next = (sequence.at(-1) ?? 0) + 1;
    this.#records = records.length;
    this.#bytes = records.reduce((sum, record) => sum + record.length, 0);
    for (const record of records) this.#mark(record);
    database.onversionchange = () => database.close();
    database.onclose = () => (this.#failed ??= fault("medium", "the browser closed the database"));
  }

  get size() {
    return this.#image.length;
  }

  read(at, bytes) {
    bytes.set(this.#image.subarray(at, at + bytes.length));
  }

  write(at, bytes) {
    if (this.#failed) throw this.#failed;
    this.#image.set(bytes, at);
    this.#runs.push({ at, bytes: bytes.slice() });
    this.#touch(at, bytes.length);
  }

  /** Hands what was written to the database; it is durable when `settle` says so. */
  flush() {
    if (this.#failed) throw this.#failed;
    if (!this.#runs.length) return;
    const record = packed(this.#runs.splice(0));
    this.#later(() => this.#append(record));
  }

  /** Exchanges the content: `size` bytes, and in them `runs` of `[at, bytes]` over what is there. */
  replace(size, runs) {
    if (this.#failed) throw this.#failed;
    const image = new Uint8Array(size);
    image.set(this.#image.subarray(0, size));
    for (const [at, bytes] of runs) image.set(bytes, at);
    this.#image = image;
    this.#runs = [];
    this.created = false;
    this.#later(() => this.#whole());
  }

  /** Everything flushed is durable, or this throws and all of it is in doubt. */
  settle() {
    return this.#settled;
  }

  async close() {
    await this.#settled.catch(() => {});
    this.#database.close();
  }

  #touch(at, length) {
    for (let page = Math.floor(at / PAGE); page * PAGE < at + length; page++) this.#dirty.add(page);
  }

  #mark(record) {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    for (let at = 0; at < record.length; at += 8 + view.getUint32(at + 4, true)) {
      this.#touch(view.getUint32(at, true), view.getUint32(at + 4, true));
    }
  }

  /** Does `what`, which makes requests of a transaction, behind everything before it. */
  #later(what) {
    this.#settled = this.#settled.then(what);
    this.#settled.catch((error) => (this.#failed ??= error));
  }

  async #transact(names, requests) {
    try {
      const transaction = this.#database.transaction(names, "readwrite", { durability: "strict" });
      const finished = completed(transaction);
      requests(...names.map((name) => transaction.objectStore(name)));
      transaction.commit();
      await finished;
    } catch (error) {
      throw translate(error);
    }
  }

  async #append(record) {
    this.#records++;
    this.#bytes += record.length;
    if (this.#records > RECORDS || this.#bytes > BYTES) return this.#checkpoint();
    await this.#transact(["log"], (log) => log.put(record, this.#next++));
  }

  /** The pages as they are now hold every record flushed so far. */
  async #checkpoint() {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    this.#records = this.#bytes = 0;
    await this.#transact(["log", "pages"], (log, pages) => {
      for (const page of dirty) pages.put(this.#page(page), page);
      log.clear();
    });
  }

  /** Everything anew. A page that is not there is blank. */
  async #whole() {
    this.#dirty.clear();
    this.#records = this.#bytes = 0;
    await this.#transact(stores, (pages, log, about) => {
      pages.clear();
      log.clear();
      about.put(this.size, "size");
      for (let page = 0; page * PAGE < this.size; page++) {
        const bytes = this.#page(page);
        if (bytes.some((byte) => byte !== 0)) pages.put(bytes, page);
      }
    });
  }

  #page(page) {
    return this.#image.slice(page * PAGE, (page + 1) * PAGE);
  }
}
