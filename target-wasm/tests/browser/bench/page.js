// The subjects as a page uses them.
import Dexie from "/node_modules/dexie/dist/modern/dexie.mjs";
import * as idb from "/node_modules/idb-keyval/dist/index.js";
import { Indelible } from "/js/index.js";
import { indexedDb } from "./indexeddb.js";
import { ROWS, key, measure, prepare, value } from "./jobs.js";

async function indelible(medium) {
  const store = await Indelible.open(`bench ${medium}`, { media: [medium], size: 4 << 20 });
  return {
    put: (i, v = value()) => store.set(key(i), v),
    many: (i) => Promise.all(Array.from({ length: ROWS }, (_, j) => store.set(key(i + j), value()))),
    get: (i) => store.get(key(i)),
  };
}

/** A worker that sends back what it was sent. */
const far = new Worker("/bench/far.js", { type: "module" });
const there = (message) =>
  new Promise((back) => {
    far.onmessage = ({ data }) => back(data);
    far.postMessage(message);
  });

const makers = {
  "bare message and answer": () => ({ get: (i) => there([i, "get", key(i)]) }),
  "bare message, IndexedDB strict in a worker": () => ({ put: (i) => there({ put: i }) }),
  "Indelible, OPFS": () => indelible("opfs"),
  "Indelible, IndexedDB": () => indelible("indexeddb"),
  "IndexedDB strict": () => indexedDb("page", "strict"),
  "IndexedDB relaxed": () => indexedDb("page", "relaxed"),
  "idb-keyval"() {
    const store = idb.createStore("idb-keyval", "kv");
    return {
      put: (i, v = value()) => idb.set(key(i), v, store),
      many: (i) => idb.setMany(Array.from({ length: ROWS }, (_, j) => [key(i + j), value()]), store),
      get: (i) => idb.get(key(i), store),
    };
  },
  Dexie() {
    const database = new Dexie("dexie");
    database.version(1).stores({ kv: "" });
    return {
      put: (i, v = value()) => database.kv.put(v, key(i)),
      many: (i) =>
        database.kv.bulkPut(
          Array.from({ length: ROWS }, () => value()),
          Array.from({ length: ROWS }, (_, j) => key(i + j)),
        ),
      get: (i) => database.kv.get(key(i)),
    };
  },
};

const subjects = {};

/** The page's subjects, open and filled. */
async function open() {
  for (const [name, make] of Object.entries(makers)) {
    subjects[name] = { name, ...(await make()) };
    await prepare(subjects[name]);
  }
  return Object.keys(subjects);
}

const worker = new Worker("/bench/worker.js", { type: "module" });
const inWorker = (message) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(message);
  });

window.bench = {
  open,
  openWorker: () => inWorker({ act: "open" }),
  run: (name, job, count) => measure(subjects[name], job, count),
  runWorker: (name, job, count) => inWorker({ act: "run", name, job, count }),
  written: (name, count) => inWorker({ act: "written", name, count }),
  /** Bytes that IndexedDB grew by for each put. */
  async grown(name, count) {
    const usage = async () => (await navigator.storage.estimate()).usageDetails?.indexedDB ?? 0;
    const before = await usage();
    for (let i = 0; i < count; i++) await subjects[name].put(i);
    return ((await usage()) - before) / count;
  },
};
