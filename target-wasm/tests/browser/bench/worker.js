// The subjects in a worker.
import sqlite3InitModule from "/node_modules/@sqlite.org/sqlite-wasm/dist/index.mjs";
import { openSync } from "/js/worker-sync.js";
import { indexedDb } from "./indexeddb.js";
import { KEYS, ROWS, key, measure, prepare, value } from "./jobs.js";

/** Bytes that went through synchronous handles. */
let written = 0;
const { write } = FileSystemSyncAccessHandle.prototype;
FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
  written += bytes.byteLength;
  return write.call(this, bytes, options);
};

let pool;
async function sqlite(mode) {
  if (!pool) {
    const sqlite3 = await sqlite3InitModule({ print() {}, printErr() {} });
    pool = await sqlite3.installOpfsSAHPoolVfs({ name: "bench", initialCapacity: 8 });
  }
  const database = new pool.OpfsSAHPoolDb(`/${mode}.db`);
  database.exec("PRAGMA locking_mode=exclusive");
  const found = database.selectValue(`PRAGMA journal_mode=${mode}`);
  if (found !== mode) throw new Error(`journal_mode ${found}`);
  database.exec("PRAGMA synchronous=FULL; CREATE TABLE kv (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID");
  const insert = database.prepare("INSERT OR REPLACE INTO kv VALUES (?, ?)");
  const select = database.prepare("SELECT v FROM kv WHERE k = ?");
  const set = (k, v) => insert.bind([k, v]).stepReset();
  return {
    put: (i, v = value()) => void set(key(i), v),
    many(i) {
      database.exec("BEGIN");
      for (let j = 0; j < ROWS; j++) set(key(i + j), value());
      database.exec("COMMIT");
    },
    get(i) {
      select.bind([key(i)]).step();
      const found = select.get(0);
      select.reset();
      return found;
    },
  };
}

async function indelible() {
  const store = await openSync("bench sync", { size: 4 << 20, media: ["opfs"] });
  return {
    put: (i, v = value()) => store.set(key(i), v),
    many: (i) =>
      store.transaction(() => {
        for (let j = 0; j < ROWS; j++) store.set(key(i + j), value());
      }),
    get: (i) => store.get(key(i)),
  };
}

/** One write as long as a commit's, and one flush, into a file of the same length. */
async function bare() {
  const root = await navigator.storage.getDirectory();
  const handle = await (await root.getFileHandle("bare", { create: true })).createSyncAccessHandle();
  const size = 4 << 20;
  handle.truncate(size);
  const record = new Uint8Array(64).fill(7);
  let at = 0;
  return {
    put() {
      handle.write(record, { at });
      handle.flush();
      at = (at + 64) % size;
    },
  };
}

const makers = {
  "bare write + flush": bare,
  "Indelible, OPFS": indelible,
  "sqlite WAL/FULL": () => sqlite("wal"),
  "sqlite delete/FULL": () => sqlite("delete"),
  "IndexedDB strict": () => indexedDb("worker", "strict"),
  "IndexedDB relaxed": () => indexedDb("worker", "relaxed"),
};

const subjects = {};

const acts = {
  async open() {
    for (const [name, make] of Object.entries(makers)) {
      subjects[name] = { name, ...(await make()) };
      await prepare(subjects[name]);
    }
    return Object.keys(subjects);
  },
  run: ({ name, job, count }) => measure(subjects[name], job, count),
  written({ name, count }) {
    written = 0;
    for (let i = 0; i < count; i++) subjects[name].put(i % KEYS);
    return written / count;
  },
};

onmessage = async ({ data }) => {
  try {
    postMessage({ result: await acts[data.act](data) });
  } catch (error) {
    postMessage({ error: `${error.name}: ${error.message}` });
  }
};
