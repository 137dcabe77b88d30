// Several tabs on one store: who leads, what is handed over, and that nothing is
// applied twice.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { browse, site, tab } from "./harness.mjs";

let server, browser, name;
let tabs = [];
/** What a stranger on the same origin may do: it opens the store's file for itself. */
const hold = `onmessage = async ({ data }) => {
  const walk = async (folder) => {
    for await (const entry of folder.values()) {
      if (entry.kind === "directory") await walk(entry);
      else if (decodeURIComponent(entry.name).startsWith(data)) self.held = await entry.createSyncAccessHandle();
    }
  };
  await walk(await navigator.storage.getDirectory());
  postMessage(self.held !== undefined);
};`;

/** A leader that applies everything and, when told, answers nobody. */
const mute = `
const channel = BroadcastChannel.prototype;
const say = channel.postMessage;
let muted = false;
channel.postMessage = function (message) {
  if (muted && message.answer) message = { muted: true };
  return say.call(this, message);
};
new BroadcastChannel("mute").onmessage = () => (muted = true);
await import("/js/worker.js");
postMessage({ id: "awake" });`;

before(async () => {
  server = await site({ pages: { "/hold.js": hold, "/mute.js": mute } });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(() => (name = `tabs ${Math.random()}`));
afterEach(async () => {
  for (const page of tabs) await page.close();
  tabs = [];
});

/** A tab with the store open as `store`. */
async function opened(options = {}) {
  const page = await tab(browser.context, server.url);
  tabs.push(page);
  await page.evaluate(
    async ([name, options]) => (window.store = await Indelible.open(name, { logs: [65536], ...options })),
    [name, options],
  );
  return page;
}

/** The tab that leads goes in one of several ways. */
const ways = {
  "is closed": (page) => page.close(),
  "closes the store": (page) => page.evaluate(() => store.close()),
  "ends its worker": (page) => page.evaluate(() => store.terminate()),
  "crashes": (page) => page.goto("chrome://crash").catch(() => {}),
  "goes elsewhere": (page) => page.goto("about:blank"),
  async "is frozen"(page) {
    const session = await browser.context.newCDPSession(page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
  },
};

test("the second tab sees what the first wrote, and the other way round", async () => {
  const [first, second] = [await opened(), await opened()];
  await first.evaluate(() => store.set("from", "first"));
  assert.equal(await second.evaluate(() => store.get("from")), "first");
  assert.deepEqual(await second.evaluate(async () => [store.created, store.medium]), [false, "opfs"]);
  await second.evaluate(() => store.set("from", "second"));
  assert.equal(await first.evaluate(() => store.get("from")), "second");
  assert.equal(await first.evaluate(() => store.size()), 1);
  await second.evaluate(() => store.clear());
  assert.deepEqual(await first.evaluate(async () => [await store.size(), (await Array.fromAsync(store.keys())).length]), [0, 0]);
});

test("a transaction keeps the other tab's changes waiting", async () => {
  const [first, second] = [await opened(), await opened()];
  await first.evaluate(() => store.set("n", "0"));
  const add = async () => {
    for (let i = 0; i < 25; i++) {
      await store.transaction(async (tx) => tx.set("n", String(Number(await tx.get("n")) + 1)));
    }
  };
  await Promise.all([first.evaluate(add), second.evaluate(add)]);
  assert.equal(await first.evaluate(() => store.get("n")), "50");
});

test("a tab that is closed inside a transaction keeps nobody waiting", async () => {
  const [first, second] = [await opened(), await opened()];
  await second.evaluate(
    () => new Promise((held) => store.transaction(async (tx) => (await tx.get("x"), held(), new Promise(() => {})))),
  );
  const begun = Date.now();
  const written = first.evaluate(() => store.set("x", "1"));
  await second.close();
  await written;
  assert.ok(Date.now() - begun < 5_000, "the hold was let go with the tab");
});

test("a transaction that takes too long is given up when others wait", async () => {
  const [first, second] = [await opened(), await opened()];
  const slow = first.evaluate(() =>
    store
      .transaction(async (tx) => {
        await tx.get("x");
        await store.set("x", "from outside");
        await tx.set("x", "from inside");
      })
      .then(() => "committed", (error) => error.code),
  );
  await second.evaluate(() => store.set("y", "1"));
  assert.equal(await slow, "transaction_lost");
  assert.equal(await first.evaluate(() => store.get("x")), "from outside");
});

for (const [how, leave] of Object.entries(ways)) {
  test(`the next tab leads when the first ${how}: acknowledged is there, once`, async () => {
    const [first, second, third] = [await opened(), await opened(), await opened()];
    // Each tab appends its own numbered lines; the leader goes in the middle.
    const write = async (tag) => {
      window.acknowledged = [];
      window.stop = false;
      for (let i = 0; !window.stop; i++) {
        const line = `${tag}${String(i).padStart(5, "0")};`;
        const at = await store.log(0).append(line);
        await store.set(tag, String(i));
        window.acknowledged.push([line, at]);
      }
      return window.acknowledged;
    };
    const lines = [second.evaluate(write, "s"), third.evaluate(write, "t")];
    await new Promise((done) => setTimeout(done, 200));
    await leave(first);
    await new Promise((done) => setTimeout(done, 600));
    for (const page of [second, third]) await page.evaluate(() => (window.stop = true));
    const acknowledged = (await Promise.all(lines)).flat();
    const text = await third.evaluate(() => store.log(0).read(0, undefined, "text"));
    assert.ok(acknowledged.length > 20, `${acknowledged.length} lines`);
    for (const [line, at] of acknowledged) assert.equal(text.slice(at, at + 7), line);
    const found = text.split(";").filter(Boolean);
    assert.equal(new Set(found).size, found.length, "nothing was applied twice");
    assert.equal(found.length, acknowledged.length);
    assert.equal(await second.evaluate(() => store.size()), 2);
  });
}

test("what a leader applied and could not answer is not applied again", async () => {
  const first = await tab(browser.context, server.url);
  tabs.push(first);
  await first.evaluate(async (name) => {
    const worker = new Worker("/mute.js", { type: "module" });
    await new Promise((awake) => (worker.onmessage = awake));
    window.store = await Indelible.open(name, { logs: [65536], worker: () => worker });
  }, name);
  const second = await opened();
  await second.evaluate(() => store.set("there", "1"));
  await first.evaluate(() => new BroadcastChannel("mute").postMessage(0));
  const calls = second.evaluate(async () => {
    window.sent = [store.log(0).append("once"), store.delete("there"), store.set("", "x").catch((error) => error.code)];
    await 0;
    window.sent.push(store.transaction(async (tx) => tx.set("in", "a transaction")));
    return Promise.all(window.sent);
  });
  await first.waitForFunction(async () => (await store.has("in")) && (await store.log(0).state()).tail === 4);
  await first.close();
  assert.deepEqual(await calls, [0, true, "key_empty", undefined]);
  assert.equal(await second.evaluate(() => store.log(0).read(0, undefined, "text")), "once");
  assert.equal(await second.evaluate(() => store.log(0).append("!")), 4);
});

test("the last to close leaves nothing of the tabs' own in the store", async () => {
  const [first, second] = [await opened(), await opened()];
  await second.evaluate(() => store.set("a", "1"));
  await first.close();
  await second.evaluate(() => store.set("b", "1"));
  await second.evaluate(() => store.close());
  const third = await opened({ keys: "bytes" });
  assert.deepEqual(await third.evaluate(async () => (await Array.fromAsync(store.keys())).map((key) => [...key])), [[97], [98]]);
  const image = await third.evaluate(async () => [...(await store.export())]);
  assert.ok(image.length > 0);
});

test("a tab that was frozen goes on when it is shown again", async () => {
  const [first, second] = [await opened(), await opened()];
  const session = await browser.context.newCDPSession(first);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await second.evaluate(() => store.set("a", "1"));
  await session.send("Page.setWebLifecycleState", { state: "active" });
  assert.equal(await first.evaluate(() => store.get("a")), "1");
  await first.evaluate(() => store.set("a", "2"));
  assert.equal(await second.evaluate(() => store.get("a")), "2");
});

test("a file that something else holds is a clear error, and no other medium", async () => {
  const page = await opened();
  await page.evaluate(() => store.close());
  const found = await page.evaluate(async (name) => {
    const worker = new Worker("/hold.js");
    const held = await new Promise((done) => ((worker.onmessage = (event) => done(event.data)), worker.postMessage(name)));
    const begun = performance.now();
    const error = await Indelible.open(name).then(() => undefined, (error) => error);
    const took = performance.now() - begun;
    worker.terminate();
    const again = await Indelible.open(name);
    const medium = again.medium;
    await again.close();
    return { held, code: error?.code, name: error?.name, took, medium };
  }, name);
  assert.deepEqual([found.held, found.code, found.name, found.medium], [true, "locked", "MediumError", "opfs"]);
  assert.ok(found.took >= 1_900 && found.took < 6_000, `${found.took} ms`);
});
