// Databases that the browser itself finds damaged and deletes: never taken for
// stores that were not there.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browseToKill, site, tab } from "./harness.mjs";

let server, profile;
before(async () => (server = await site()));
after(async () => {
  await server?.close();
  if (profile) await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

/** What each of `calls`, options of `open`, comes to in a browser of its own: a value or an error's code. */
async function visit(calls) {
  const browser = await browseToKill(profile);
  profile = browser.profile;
  try {
    const page = await tab(browser.context, server.url);
    const found = [];
    for (const [name, options] of calls) {
      found.push(
        await page.evaluate(
          async ([name, options]) => {
            try {
              const store = await Indelible.open(name, { media: ["indexeddb"], size: 1 << 20, ...options });
              const value = `${store.created ? "created" : "found"} ${await store.get("a")}`;
              await store.set("a", "1");
              await store.close();
              return value;
            } catch (error) {
              return `${error.name} ${error.code}`;
            }
          },
          [name, options],
        ),
      );
    }
    return found;
  } finally {
    await browser.kill();
  }
}

/** Hits the file in which the browser keeps what the databases of a site hold. */
async function damage() {
  const root = join(profile, "Default", "IndexedDB");
  const folder = join(root, (await readdir(root)).find((name) => name.endsWith(".leveldb")));
  const file = join(folder, (await readdir(folder)).find((name) => name.endsWith(".log")));
  const bytes = await readFile(file);
  bytes[100] ^= 0xff;
  await writeFile(file, bytes);
}

test("a database that the browser deleted is lost, and not a new store, until that is accepted", async () => {
  assert.deepEqual(await visit([["first"]]), ["created undefined"]);
  assert.deepEqual(await visit([["first"]]), ["found 1"]);
  await damage();
  assert.deepEqual(await visit([["first"], ["first"]]), ["DamageError data_lost", "DamageError data_lost"]);
  assert.deepEqual(await visit([["first"]]), ["DamageError data_lost"]);
  assert.deepEqual(await visit([["first", { acceptLoss: true }], ["first"]]), ["created undefined", "found 1"]);
  assert.deepEqual(await visit([["first"], ["first", { acceptLoss: true }]]), ["found 1", "found 1"]);
});
