// The synchronous store (pages/sync.js), in a worker, under the policy.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { browse, site, tab } from "./harness.mjs";

const source = await readFile(new URL("pages/sync.js", import.meta.url), "utf8");
const names = [...source.matchAll(/^ {2}async "(.+?)"\(name/gm)].map(([, name]) => name);

let server, browser, page;
before(async () => {
  server = await site();
  browser = await browse();
  page = await tab(browser.context, server.url);
  await page.evaluate(() => {
    const worker = new Worker("/pages/sync.js", { type: "module" });
    window.ask = (message) =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(message);
      });
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const ask = (message) => page.evaluate((message) => ask(message), message);

test("no test is missed", async () => assert.deepEqual((await ask({ act: "names" })).names, names));

for (const name of names) {
  test(name, async () => {
    await ask({ test: name, name: `sync ${name}` });
    assert.deepEqual(page.problems, []);
  });
}

test("a tab is told at once that a synchronous store has it, and opens it behind that", async () => {
  await ask({ act: "hold", name: "held" });
  const begun = Date.now();
  const code = await page.evaluate(() => Indelible.open("held").then(() => "open", (error) => error.code));
  assert.equal(code, "locked");
  assert.ok(Date.now() - begun < 4_000);
  await ask({ act: "let go" });
  assert.equal(await page.evaluate(async () => {
    const store = await Indelible.open("held");
    await store.set("a", "1");
    const found = await store.get("a");
    await store.close();
    return found;
  }), "1");
});
