// Every call of the asynchronous store (pages/api.js), on each medium, in a page
// with the policy that README.md names.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readFile } from "node:fs/promises";
import { browse, site, tab } from "./harness.mjs";

const source = await readFile(new URL("pages/api.js", import.meta.url), "utf8");
const names = [...source.matchAll(/^ {2}"?([^"\n]+?)"?: async \(open/gm)].map(([, name]) => name);

let server, browser, page;
before(async () => {
  server = await site();
  browser = await browse();
  page = await tab(browser.context, server.url);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("no test is missed", async () => {
  const found = await page.evaluate(async () => Object.keys((await import("/pages/api.js")).tests));
  assert.deepEqual(found, names);
});

for (const [medium, durability] of [["opfs", "strict"], ["indexeddb", "strict"], ["memory", "none"]]) {
  describe(medium, () => {
    for (const name of names) {
      test(name, async () => {
        await page.evaluate(
          async ([name, medium, durability]) => {
            const { tests } = await import("/pages/api.js");
            const store = `${name} ${Math.random()}`;
            const open = (options) => Indelible.open(store, { media: [medium], logs: [65536, 65536], ...options });
            await tests[name](open, { medium, durability });
          },
          [name, medium, durability],
        );
        assert.deepEqual(page.problems, []);
      });
    }
  });
}
