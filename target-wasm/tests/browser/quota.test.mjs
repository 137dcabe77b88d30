// The browser gives a site less room than it needs: a clear error, and nothing
// that was acknowledged is lost.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { browse, site, tab } from "./harness.mjs";

let server, browser, page, session;
before(async () => (browser = await browse()));
after(() => browser?.close());

/** Chromium remembers for a while how much room a site had: each test is a site of its own. */
beforeEach(async () => {
  server = await site();
  page = await tab(browser.context, server.url);
  session = await browser.context.newCDPSession(page);
});
afterEach(async () => {
  await page.close();
  await server.close();
});

const quota = (quotaSize) =>
  session.send("Storage.overrideQuotaForOrigin", { origin: server.url, ...(quotaSize === undefined ? {} : { quotaSize }) });

/** Opens a store; its error's code where it does not open. */
const open = (name, options) =>
  page.evaluate(
    async ([name, options]) => {
      try {
        window.store = await Indelible.open(name, options);
        return "open";
      } catch (error) {
        return `${error.name} ${error.code}`;
      }
    },
    [name, options],
  );

/** Repeats what the quota refuses until Chromium has looked again how much there is. */
async function patiently(attempt) {
  for (let i = 0; ; i++) {
    const found = await attempt();
    if (i === 100 || !found.includes("quota")) return found;
    await new Promise((done) => setTimeout(done, 500));
  }
}

test("OPFS: too little room is told at opening, and leaves nothing broken behind", async () => {
  await quota(1_000_000);
  assert.equal(await open("opfs", { size: 8 << 20 }), "FullError quota");
  await quota(64_000_000);
  assert.equal(await open("opfs", { size: 8 << 20 }), "open");
  assert.equal(await page.evaluate(() => store.created), true);
  assert.equal(await page.evaluate(() => store.set("a", "1").then(() => store.get("a"))), "1");
  await page.evaluate(() => store.close());
});

test("OPFS: with its room taken up front a store goes on when the quota falls", async () => {
  assert.equal(await open("opfs", { size: 8 << 20 }), "open");
  await quota(1_000);
  await page.evaluate(async () => {
    for (let i = 0; i < 200; i++) await store.set(`key ${i}`, "x".repeat(1000));
  });
  assert.equal(await page.evaluate(async () => (await store.size()) + (await store.get("key 7")).length), 200 + 1000);
  await page.evaluate(() => store.close());
  assert.equal(await open("opfs", { size: 8 << 20 }), "open");
  assert.equal(await page.evaluate(() => store.size()), 200);
  await page.evaluate(() => store.close());
});

test("IndexedDB: no room in the middle of writing fails that call and loses nothing", async () => {
  await quota(1_500_000);
  assert.equal(await open("idb", { size: 8 << 20, media: ["indexeddb"] }), "open");
  await page.evaluate(() => store.set("before", "1"));
  const outcome = await page.evaluate(async () => {
    let written = 0;
    for (; written < 200; written++) {
      try {
        await store.set(`key ${String(written).padStart(3, "0")}`, "x".repeat(10_000));
      } catch (error) {
        return { written, error: `${error.name} ${error.code}`, size: await store.size(), before: await store.get("before") };
      }
    }
    return { written };
  });
  assert.equal(outcome.error, "FullError quota");
  assert.equal(outcome.size, 1 + outcome.written, "what was refused does not show");
  assert.equal(outcome.before, "1");
  await quota(64_000_000);
  assert.equal(await patiently(() => page.evaluate(() => store.set("after", "1").then(() => "set", (error) => error.code))), "set");
  assert.equal(await page.evaluate(() => store.size()), 2 + outcome.written);
  await page.evaluate(() => store.close());
  assert.equal(await open("idb", { size: 8 << 20, media: ["indexeddb"] }), "open");
  assert.equal(await page.evaluate(() => store.size()), 2 + outcome.written);
  await page.evaluate(() => store.close());
});

test("IndexedDB: no room at opening, and the store opens when there is", async () => {
  await quota(1);
  assert.equal(await open("idb", { size: 8 << 20, media: ["indexeddb"] }), "FullError quota");
  await quota(64_000_000);
  assert.equal(await patiently(() => open("idb", { size: 8 << 20, media: ["indexeddb"] })), "open");
  assert.equal(await page.evaluate(() => store.set("a", "1").then(() => store.get("a"))), "1");
});
