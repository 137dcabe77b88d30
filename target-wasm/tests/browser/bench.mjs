// Indelible beside IndexedDB, idb-keyval, Dexie and SQLite: one page, one run,
// repeats interleaved; of each job the median of its rounds and, for loaded
// machines, the least. `--rounds N` (9), `--only "durable put"`.
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { browse, site, tab } from "./harness.mjs";
import { downloads } from "./bench/sizes.mjs";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, only: { type: "string", default: "" } },
});
const rounds = Number(options.rounds);

/** Where, what, how often in a round, unit and goal. */
const jobs = [
  { title: "durable put in the worker", place: "Worker", job: "put", count: 100, unit: "ms" },
  { title: "durable put from the page", place: "", job: "put", count: 100, unit: "ms" },
  { title: "100 sets in one message from the page, a key", place: "", job: "many", count: 20, unit: "µs" },
  { title: "100-row transaction in the worker, a row", place: "Worker", job: "many", count: 20, unit: "µs" },
  { title: "get in the worker", place: "Worker", job: "get", count: { sync: 5000, wait: 200 }, unit: "µs" },
  { title: "get from the page", place: "", job: "get", count: 300, unit: "ms" },
];
const goals = ["1.2 x bare", "0.75 ms", "20 µs", "8 µs", "2 µs", "0.1 ms", "128", "25 KB"];

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
const server = await site({
  folders: { "/bench/": folder("bench"), "/node_modules/": folder("node_modules") },
  headers: { "content-security-policy": "" },
  pages: { "/": '<!doctype html><title>bench</title><link rel="icon" href="data:,"><script type="module" src="/bench/page.js"></script>' },
});
const browser = await browse();
try {
  const page = await tab(browser.context, server.url);
  await page.waitForFunction(() => window.bench);
  const names = { "": await page.evaluate(() => bench.open()), Worker: await page.evaluate(() => bench.openWorker()) };
  console.log(`${await page.evaluate(() => navigator.userAgent)}; keys of 9 and values of 32 bytes; medians of ${rounds} rounds`);

  for (const [number, { title, place, job, count, unit }] of jobs.entries()) {
    if (!title.includes(options.only)) continue;
    const samples = new Map();
    for (let round = 0; round < rounds; round++) {
      for (const name of names[place]) {
        const often = typeof count === "number" ? count : name.startsWith("IndexedDB") ? count.wait : count.sync;
        const took = await page.evaluate(([run, ...rest]) => bench[run](...rest), [`run${place}`, name, job, often]);
        if (took !== undefined) samples.set(name, [...(samples.get(name) ?? []), took]);
      }
    }
    show(title, goals[number], [...samples].map(([name, taken]) => [name, median(taken), unit, Math.min(...taken)]));
  }

  if ("bytes written".includes(options.only)) {
    const rows = [];
    for (const name of names.Worker.filter((name) => !/IndexedDB/.test(name))) {
      rows.push([name, await page.evaluate((name) => bench.written(name, 2000), name), "bytes"]);
    }
    for (const name of ["IndexedDB strict", "idb-keyval", "Dexie"]) {
      rows.push([`${name} (growth)`, await page.evaluate((name) => bench.grown(name, 500), name), "bytes"]);
    }
    show("bytes written per 32-byte durable put", goals[6], rows);
  }
  if ("download".includes(options.only)) show("download, brotli", goals[7], await downloads());
  if (page.problems.length) throw new Error(page.problems.join("\n"));
} finally {
  await browser.close();
  await server.close();
}

function show(title, goal, rows) {
  console.log(`\n${title} (goal ${goal})`);
  const bare = rows.find(([name]) => name.startsWith("bare"));
  for (const [name, figure, unit, least] of rows) {
    const shown = (figure) => (unit === "ms" ? (figure / 1000).toFixed(3) : figure.toFixed(unit === "µs" ? 2 : 0));
    const ratio = bare && unit === "ms" ? `   ${(figure / bare[1]).toFixed(2)} and ${(least / bare[3]).toFixed(2)} x bare` : "";
    const beside = least === undefined ? "" : `   least ${shown(least).padStart(8)}${ratio}`;
    console.log(`  ${name.padEnd(44)} ${shown(figure).padStart(9)} ${unit}${beside}`);
  }
}
