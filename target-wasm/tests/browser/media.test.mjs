// Which medium a browser gets: the next one only where there is none, and never
// because one failed. Also the damage that opening finds, and persist().
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, site, tab } from "./harness.mjs";

/** A worker of a browser that lacks something: `lack` runs before the package's own worker. */
const lacking = (lack) => `${lack}\nawait import("/js/worker.js");\npostMessage({ id: "awake" });`;

const noHandles = "delete FileSystemFileHandle.prototype.createSyncAccessHandle;";
const noFolder = 'navigator.storage.getDirectory = async () => { throw new DOMException("private", "SecurityError"); };';
const noDatabase = "Object.defineProperty(self, 'indexedDB', { value: undefined });";
const refusedDatabase = 'indexedDB.databases = async () => { throw new DOMException("private", "InvalidStateError"); };';
const broken = 'navigator.storage.getDirectory = async () => { throw new DOMException("broken", "UnknownError"); };';

const cases = [
  ["no synchronous handles", noHandles, "indexeddb strict"],
  ["a private window without files", noFolder, "indexeddb strict"],
  ["neither files nor databases", noHandles + noDatabase, "memory none"],
  ["a private window that refuses both", noFolder + refusedDatabase, "memory none"],
  ["files that fail", broken, "MediumError medium"],
];

let server, browser, page;
before(async () => {
  const pages = Object.fromEntries(cases.map(([, lack], i) => [`/lacking${i}.js`, lacking(lack)]));
  server = await site({ pages });
  browser = await browse();
  page = await tab(browser.context, server.url);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const open = (number, options = {}) =>
  page.evaluate(
    async ([number, options]) => {
      const worker = new Worker(`/lacking${number}.js`, { type: "module" });
      await new Promise((awake) => (worker.onmessage = awake));
      try {
        const store = await Indelible.open(`lacking ${number}`, { ...options, worker: () => worker });
        await store.set("a", "1");
        const found = await store.get("a");
        await store.close();
        return found === "1" ? `${store.medium} ${store.durability}` : "lost";
      } catch (error) {
        return `${error.name} ${error.code}`;
      }
    },
    [number, options],
  );

for (const [number, [name, , expected]] of cases.entries()) {
  test(`${name}: ${expected}`, async () => assert.equal(await open(number), expected));
}

test("who wants files alone is told that there are none", async () => {
  assert.equal(await open(0, { media: ["opfs"] }), "MediumError unavailable");
});

test("persist answers", async () => {
  assert.equal(typeof (await page.evaluate(() => Indelible.persist())), "boolean");
});

/** Writes over the file of the store `name`, at byte `at`. */
const spoil = (name, at, bytes) =>
  page.evaluate(
    async ([name, at, bytes]) => {
      const root = await navigator.storage.getDirectory();
      const file = await (await root.getDirectoryHandle("indelible")).getFileHandle(encodeURIComponent(name));
      const writer = await file.createWritable({ keepExistingData: true });
      const found = new Uint8Array(await (await file.getFile()).slice(at, at + bytes.length).arrayBuffer());
      await writer.write({ type: "write", position: at, data: found.map((byte, i) => byte ^ bytes[i]) });
      await writer.close();
    },
    [name, at, bytes],
  );

test("a flipped bit on the disk is healed, more is named, and neither is a wrong value", async () => {
  const name = "spoilt";
  const at = await page.evaluate(async (name) => {
    const store = await Indelible.open(name);
    await store.set("fine", "fine");
    await store.set("hit", "this very value is hit");
    const image = await store.export();
    await store.close();
    const text = new TextDecoder("latin1").decode(image);
    return text.indexOf("this very value");
  }, name);
  assert.ok(at > 0);
  const look = (name) =>
    page.evaluate(async (name) => {
      const store = await Indelible.open(name);
      const hit = await store.get("hit").catch((error) => `${error.name} ${error.code}`);
      const found = { hit, fine: await store.get("fine"), findings: (await store.check()).findings.length };
      await store.close();
      return found;
    }, name);
  await spoil(name, at, [4]);
  assert.deepEqual((await look(name)).hit, "this very value is hit");
  await spoil(name, at, [4 ^ 0xff, 0xff, 0xff]);
  const found = await look(name);
  assert.equal(found.hit, "DamageError corrupt");
  assert.equal(found.fine, "fine");
  assert.ok(found.findings > 0);
});

test("a file that is no store is refused", async () => {
  await page.evaluate(async () => (await Indelible.open("foreign")).close());
  await spoil("foreign", 0, new Array(1 << 16).fill(0x5a));
  for (let at = 1 << 16; at < 4 << 20; at += 1 << 20) await spoil("foreign", at, new Array(4096).fill(0x5a));
  const found = await page.evaluate(() => Indelible.open("foreign").then(() => "open", (error) => error.name));
  assert.equal(found, "DamageError");
});
