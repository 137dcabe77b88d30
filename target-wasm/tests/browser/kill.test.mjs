// The whole browser is killed by SIGKILL in the middle of writing, over and
// over, with one profile: what was acknowledged is there, whole, in order. (More may
// be there: what was acknowledged while word of it was on its way to this program.)
// Chromium itself deletes the databases of a site that it finds damaged after a
// kill (README.md): then opening must say so, and all begins anew; for files it
// must never. KILLS says how often (5); the seed is printed.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, test } from "node:test";
import { browseToKill, site, tab } from "./harness.mjs";

const kills = Number(process.env.KILLS ?? 5);
let seed = Number(process.env.INDELIBLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`INDELIBLE_SEED=${seed} KILLS=${kills}`);

/** Mulberry32: enough to choose moments. */
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

let server;
before(async () => (server = await site()));
after(() => server?.close());

/** Runs in the page: goes on from what it finds, and tells of each acknowledgement. */
async function work([medium, goesOn]) {
  let store;
  try {
    store = await Indelible.open("killed", { media: [medium], logs: [1 << 20], size: 8 << 20 });
  } catch (error) {
    if (error.code === "data_lost") return { lost: error.message };
    throw error;
  }
  const recovered = Number((await store.get("count")) ?? 0);
  const line = (i) => `${String(i).padStart(9, "0")}\n`;
  const { tail } = await store.log(0).state();
  const text = await store.log(0).read(0, undefined, "text");
  let whole = tail === 10 * recovered && (await store.size()) === (recovered ? 1 + Math.min(recovered, 200) : 0);
  for (let i = 0; i < recovered && whole; i++) whole = text.slice(10 * i, 10 * i + 10) === line(i);
  for (let i = Math.max(0, recovered - 200); i < recovered && whole; i++) {
    whole = (await store.get(`row ${i % 200}`)) === `value ${i} `.repeat(1 + (i % 40));
  }
  if (goesOn) {
    (async () => {
      for (let i = recovered; ; i++) {
        await store.transaction(async (tx) => {
          await tx.set("count", String(i + 1));
          await tx.set(`row ${i % 200}`, `value ${i} `.repeat(1 + (i % 40)));
          await tx.log(0).append(line(i));
        });
        acknowledged(i + 1);
      }
    })();
  }
  return { recovered, whole, report: store.report, findings: (await store.check()).findings };
}

/** Kills one profile's browser until `kills` are done, or until the browser has lost its databases. */
async function session(medium, kills) {
  let profile;
  let acknowledged = 0;
  try {
    for (let kill = 0; kill <= kills; kill++) {
      const browser = await browseToKill(profile);
      profile = browser.profile;
      try {
        const page = await tab(browser.context, server.url);
        let latest = 0;
        await page.exposeFunction("acknowledged", (count) => (latest = count));
        const found = await page.evaluate(work, [medium, kill < kills]);
        if (found.lost) {
          assert.ok(kill > 0, found.lost);
          console.log(`${medium} kill ${kill}: ${found.lost}`);
          return { kills: kill, lost: true };
        }
        assert.ok(found.whole, `what is there after kill ${kill} is whole: ${JSON.stringify(found.report)}`);
        assert.deepEqual(found.findings, []);
        const extra = found.recovered - acknowledged;
        assert.ok(extra >= 0, `acknowledged ${acknowledged}, recovered ${found.recovered}`);
        if (kill > 0) console.log(`${medium} kill ${kill}: acknowledged ${acknowledged}, recovered ${found.recovered}`);
        await new Promise((done) => setTimeout(done, 100 + random() * 700));
        acknowledged = Math.max(acknowledged, latest);
      } finally {
        await browser.kill();
      }
    }
    return { kills, lost: false };
  } finally {
    if (profile) await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

test(`${kills} kills on opfs: acknowledged = recovered`, async () => {
  assert.deepEqual(await session("opfs", kills), { kills, lost: false });
});

test(`${kills} kills on indexeddb: acknowledged = recovered, or said to be lost`, async () => {
  let losses = 0;
  for (let done = 0; done < kills; ) {
    const { kills: more, lost } = await session("indexeddb", kills - done);
    done += more;
    losses += lost;
  }
  assert.ok(losses <= 1 + kills / 10, `the browser lost its databases ${losses} times in ${kills} kills`);
});
