/** Part 6: the same operations on what this browser has. */
import { Indelible } from "indelible-wasm";
import { at, failed, fill, h } from "../dom";

interface Contender {
  name: string;
  note: string;
  ours?: boolean;
  open(): Promise<void>;
  put(key: string, value: string): Promise<void> | void;
  puts(entries: [string, string][]): Promise<void> | void;
  get(key: string): Promise<unknown> | unknown;
  close(): Promise<void>;
}

interface Job {
  id: string;
  title: string;
  unit: string;
  /** Times of an operation, in a round. */
  run(contender: Contender, round: number): Promise<number[]>;
}

const VALUE = "x".repeat(32);
const BATCH = 100;
const ROUNDS = 8;

const JOBS: Job[] = [
  {
    id: "put",
    title: "One put, awaited",
    unit: "ms",
    run: (contender, round) => each(4, 3, (i) => contender.put(`put/${round}/${i}`, VALUE)),
  },
  {
    id: "batch",
    title: `${BATCH} puts at once, for each`,
    unit: "\u00b5s",
    run: async (contender, round) => {
      const entries = Array.from({ length: BATCH }, (_, i): [string, string] => [`batch/${round % 2}/${i}`, VALUE]);
      const means = await each(2, 1, () => contender.puts(entries));
      return means.map((mean) => (mean * 1000) / BATCH);
    },
  },
  {
    id: "get",
    title: "One get, awaited",
    unit: "ms",
    run: (contender, round) => each(6, 8, (i) => contender.get(`put/${round}/${i % 12}`)),
  },
];

/** The means of groups, one operation after the other: a page's clock is too coarse for one. */
async function each(groups: number, group: number, work: (i: number) => unknown): Promise<number[]> {
  const means = [];
  for (let first = 0; first < groups * group; first += group) {
    const since = performance.now();
    for (let i = first; i < first + group; i++) await work(i);
    means.push((performance.now() - since) / group);
  }
  return means;
}

function indelible(): Contender {
  let store: Awaited<ReturnType<typeof Indelible.open>>;
  return {
    name: "Indelible",
    note: "strict",
    ours: true,
    open: async () => {
      store = await Indelible.open("demo-bench", { size: 4 << 20 });
    },
    put: (key, value) => store.set(key, value),
    puts: async (entries) => {
      await Promise.all(entries.map(([key, value]) => store.set(key, value)));
    },
    get: (key) => store.get(key),
    close: async () => {
      await store.clear();
      await store.close();
    },
  };
}

function idb(durability: "strict" | "relaxed"): Contender {
  const name = `demo-bench-${durability}`;
  let db: IDBDatabase;
  const change = (work: (store: IDBObjectStore) => void) =>
    new Promise<void>((resolve, reject) => {
      const transaction = db.transaction("kv", "readwrite", { durability });
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      work(transaction.objectStore("kv"));
    });
  return {
    name: "IndexedDB",
    note: durability,
    open: async () => {
      db = await new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => request.result.createObjectStore("kv");
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    },
    put: (key, value) => change((store) => store.put(value, key)),
    puts: (entries) => change((store) => entries.forEach(([key, value]) => store.put(value, key))),
    get: (key) =>
      new Promise((resolve, reject) => {
        const request = db.transaction("kv").objectStore("kv").get(key);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      }),
    close: async () => {
      db.close();
      await new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = request.onerror = request.onblocked = resolve;
      });
    },
  };
}

function local(): Contender {
  const name = (key: string) => `demo-bench/${key}`;
  const put = (key: string, value: string) => localStorage.setItem(name(key), value);
  return {
    name: "localStorage",
    note: "no promise",
    open: async () => {},
    put,
    puts: (entries) => entries.forEach(([key, value]) => put(key, value)),
    get: (key) => localStorage.getItem(name(key)),
    close: async () => {
      const all = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i)!);
      for (const key of all) if (key.startsWith("demo-bench/")) localStorage.removeItem(key);
    },
  };
}

export function speed() {
  const root = at("speed-body");
  const go = h("button", { type: "button", class: "main", onclick: () => void run() }, "Measure");
  const said = h("p", { class: "note", role: "status" }, "A few seconds. Keys and values of 12 and 32 bytes; medians of rounds that take turns.");
  const charts = h("div", { id: "speed-charts" });
  fill(root, h("div", { class: "tools" }, go), said, charts);

  async function run() {
    go.disabled = true;
    delete charts.dataset["done"];
    const contenders = [indelible(), idb("strict"), idb("relaxed"), local()];
    const times = new Map<string, number[]>();
    try {
      for (const contender of contenders) await contender.open();
      for (let round = 0; round <= ROUNDS; round++) {
        fill(said, `Round ${round} of ${ROUNDS}\u2026`);
        for (const job of JOBS) {
          for (const contender of contenders) {
            const found = await job.run(contender, round);
            // The first round warms up.
            if (round === 0) continue;
            const id = `${job.id} ${contender.name} ${contender.note}`;
            times.set(id, [...(times.get(id) ?? []), ...found]);
          }
        }
        if (round > 0) draw(contenders, times);
      }
      fill(said, "Medians of this browser, on this machine, just now. Strict: on the disk when it is acknowledged.");
      charts.dataset["done"] = "true";
    } catch (error) {
      failed(charts, error);
    } finally {
      for (const contender of contenders) await contender.close().catch(() => {});
      go.disabled = false;
    }
  }

  function draw(contenders: Contender[], times: Map<string, number[]>) {
    const blocks = JOBS.map((job) => {
      const rows = contenders.map((contender) => ({
        contender,
        median: median(times.get(`${job.id} ${contender.name} ${contender.note}`) ?? []),
      }));
      const most = Math.max(...rows.map((row) => row.median), Number.MIN_VALUE);
      return [
        h("h3", {}, `${job.title}, ${job.unit}`),
        h(
          "dl",
          { class: "chart" },
          ...rows.flatMap(({ contender, median }) => [
            h("dt", { class: contender.ours ? "ours" : "" }, contender.name, " ", h("small", {}, contender.note)),
            h("dd", { class: contender.ours ? "ours" : "" }, h("i", { style: `width:calc((100% - 5rem) * ${median / most})`, "aria-hidden": "true" }), figure(median)),
          ]),
        ),
      ];
    });
    fill(charts, ...blocks.flat());
  }
}

function median(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function figure(value: number) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toFixed(3);
}
