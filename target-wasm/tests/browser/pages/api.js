// Every call of the asynchronous store. Each test has `open(options)`, which
// opens a store of the test's own on the medium under test, again and again.
import * as indelible from "/js/index.js";
import { all, equal, fails } from "./expect.js";

const utf8 = (text) => new TextEncoder().encode(text);
const fill = async (store, count) => {
  for (let i = 0; i < count; i++) store.set(`key ${String(i).padStart(4, "0")}`, `value ${i}`);
  await store.size();
};

export const tests = {
  "a new store says so, and what it is": async (open, { medium, durability }) => {
    const store = await open();
    equal([store.medium, store.durability, store.created], [medium, durability, true]);
    await store.close();
    if (durability === "none") return;
    const again = await open();
    equal(again.created, false);
    await again.close();
  },

  "set, get, has, delete and size": async (open) => {
    const store = await open();
    equal(await store.get("a"), undefined);
    equal(await store.set("a", "1"), undefined);
    equal(await store.get("a"), "1");
    equal([await store.has("a"), await store.has("b"), await store.size()], [true, false, 1]);
    equal([await store.delete("a"), await store.delete("a"), await store.size()], [true, false, 0]);
    equal(await store.get("a"), undefined);
    await store.close();
  },

  "text and bytes are the same bytes": async (open) => {
    const store = await open();
    await store.set("grün", "näher €𝄞");
    equal(await store.get("grün", "bytes"), utf8("näher €𝄞"));
    equal(await store.get(utf8("grün")), "näher €𝄞");
    await store.set("raw", new Uint8Array([0xff, 0, 1]));
    equal(await store.get("raw", "bytes"), new Uint8Array([0xff, 0, 1]));
    await fails(store.get("raw"), "not_text", indelible.UsageError);
    await store.set("view", new Uint16Array([1, 2]));
    equal(await store.get("view", "bytes"), new Uint8Array([1, 0, 2, 0]));
    await store.set("empty", "");
    equal([await store.get("empty"), await store.has("empty")], ["", true]);
    await store.close();
  },

  "a store of bytes gives bytes": async (open) => {
    const store = await open({ keys: "bytes", values: "bytes" });
    await store.set("k", "v");
    equal(await store.get("k"), utf8("v"));
    equal(await all(store.entries()), [[utf8("k"), utf8("v")]]);
    equal(await store.get("k", "text"), "v");
    await store.close();
  },

  "what is no key and no value is refused": async (open) => {
    const store = await open();
    await fails(store.set("a", 7), "type", indelible.UsageError);
    await fails(store.set(7, "a"), "type");
    await fails(store.get(null), "type");
    await fails(store.get("a", "json"), "type");
    await fails(store.set("", "a"), "key_empty");
    for (const call of ["get", "has", "set", "delete"]) {
      await fails(store[call](new Uint8Array([0xff, 0x74]), "a"), "key_reserved", indelible.UsageError);
      await fails(store.transaction((tx) => tx[call](new Uint8Array([0xff, 0x74]), "a")), "key_reserved");
    }
    const error = await fails(store.set("k".repeat(70_000), "a"), "key_too_long");
    equal(typeof error.max, "number");
    equal(await store.size(), 0);
    await store.close();
  },

  "calls of one microtask: each has its own answer": async (open) => {
    const store = await open();
    const calls = [store.set("a", "1"), store.set("", "2"), store.delete("a"), store.set("b", "3"), store.get("b"), store.get("a")];
    const found = await Promise.allSettled(calls);
    equal(found.map(({ status, value, reason }) => (status === "fulfilled" ? value : reason.code)), [
      undefined, "key_empty", true, undefined, "3", undefined,
    ]);
    const order = await Promise.all([store.get("b"), store.set("b", "4"), store.get("b"), store.set("b", "5"), store.get("b")]);
    equal(order, ["3", undefined, "4", undefined, "5"]);
    await store.close();
  },

  "entries and keys in order, both ways, bounded": async (open) => {
    const store = await open();
    await fill(store, 600);
    const keys = await all(store.keys());
    equal([keys.length, keys[0], keys[599]], [600, "key 0000", "key 0599"]);
    equal(keys.join() === keys.slice().sort().join(), true);
    equal((await all(store.keys({ reverse: true }))).join() === keys.slice().reverse().join(), true);
    const some = (options) => all(store.keys(options));
    equal(await some({ gte: "key 0010", lt: "key 0012" }), ["key 0010", "key 0011"]);
    equal(await some({ gt: "key 0010", lte: "key 0012" }), ["key 0011", "key 0012"]);
    equal(await some({ prefix: "key 030", limit: 2 }), ["key 0300", "key 0301"]);
    equal(await some({ prefix: "key 030", limit: 2, reverse: true }), ["key 0309", "key 0308"]);
    equal(await some({ prefix: "key 03", gte: "key 0398" }), ["key 0398", "key 0399"]);
    equal((await some({ limit: 300 })).length, 300);
    equal(await some({ limit: 0 }), []);
    equal(await some({ prefix: "nothing" }), []);
    equal(await all(store.entries({ limit: 1 })), [["key 0000", "value 0"]]);
    equal(await all(store.entries({ lt: "key 0001", values: "bytes" })), [["key 0000", utf8("value 0")]]);
    let first;
    for await (const [key] of store) {
      first = key;
      break;
    }
    equal(first, "key 0000");
    await fails(all(store.keys({ limit: -1 })), "type");
    await store.close();
  },

  "clear leaves nothing": async (open) => {
    const store = await open();
    await fill(store, 20);
    await store.clear();
    equal([await store.size(), await all(store.keys())], [0, []]);
    await store.set("a", "1");
    equal(await store.size(), 1);
    await store.close();
  },

  "a transaction commits on return": async (open) => {
    const store = await open();
    await store.set("count", "1");
    const result = await store.transaction(async (tx) => {
      const count = Number(await tx.get("count")) + 1;
      await tx.set("count", String(count));
      await tx.set("other", "x");
      equal([await tx.get("count"), await tx.has("other"), await store.get("count")], ["2", true, "1"]);
      await tx.delete("other");
      equal(await tx.has("other"), false);
      const at = await tx.log(0).append("counted");
      equal(await tx.log(0).append("twice"), at + 7);
      return count;
    });
    equal([result, await store.get("count"), await store.has("other")], [2, "2", false]);
    equal(await store.log(0).read(0, 12, "text"), "countedtwice");
    await store.close();
  },

  "a transaction aborts on a throw": async (open) => {
    const store = await open();
    await store.set("a", "1");
    const failing = store.transaction(async (tx) => {
      await tx.get("a");
      await tx.set("a", "2");
      throw new RangeError("no");
    });
    equal(await failing.catch((error) => error.message), "no");
    equal(await store.get("a"), "1");
    await fails(store.transaction(async (tx) => (await tx.set("b", "1"), await tx.set("", "1"))), "key_empty");
    equal(await store.has("b"), false);
    let kept;
    await store.transaction(async (tx) => (kept = tx));
    await fails(kept.set("a", "3"), "transaction_done");
    await fails(kept.get("a"), "transaction_done");
    await store.close();
  },

  "transactions are serializable": async (open) => {
    const store = await open();
    await store.set("n", "0");
    const add = () =>
      store.transaction(async (tx) => {
        const n = Number(await tx.get("n"));
        await new Promise((done) => setTimeout(done, Math.random() * 4));
        await tx.set("n", String(n + 1));
      });
    await Promise.all(Array.from({ length: 20 }, add));
    equal(await store.get("n"), "20");
    let between;
    await store.transaction(async (tx) => {
      await tx.get("n");
      between = store.set("n", "100");
      await new Promise((done) => setTimeout(done, 20));
      equal(await tx.get("n"), "20");
      await tx.set("n", "21");
    });
    await between;
    equal(await store.get("n"), "100");
    await store.close();
  },

  "a transaction walks what it changed": async (open) => {
    const store = await open();
    for (const key of ["a", "b", "c", "d"]) store.set(key, `old ${key}`);
    await store.size();
    await store.transaction(async (tx) => {
      await tx.set("b", "new b");
      await tx.set("bb", "new bb");
      await tx.delete("c");
      await tx.set("e", "new e");
      equal(await all(tx.entries()), [["a", "old a"], ["b", "new b"], ["bb", "new bb"], ["d", "old d"], ["e", "new e"]]);
      equal(await all(tx.keys({ reverse: true, limit: 3 })), ["e", "d", "bb"]);
      equal(await all(tx.keys({ gt: "a", lt: "d" })), ["b", "bb"]);
      await tx.clear();
      await tx.set("z", "1");
      equal(await all(tx.keys()), ["z"]);
    });
    equal(await all(store.keys()), ["z"]);
    await store.close();
  },

  "logs": async (open) => {
    const store = await open();
    const log = store.log(1);
    equal(await Promise.all([log.append("one"), log.append(new Uint8Array([1, 2])), store.log(0).append("x")]), [0, 3, 0]);
    equal(await log.read(), new Uint8Array([111, 110, 101, 1, 2]));
    equal(await log.read(1, 2, "text"), "ne");
    await log.advanceHead(3);
    const { head, tail, capacity } = await log.state();
    equal([head, tail, capacity >= 65536], [3, 5, true]);
    equal(await log.read(), new Uint8Array([1, 2]));
    const error = await fails(log.read(0, 1), "before_head");
    equal(error.head, 3);
    await fails(store.log(9).append("x"), "invalid_log");
    await fails(store.log(0x10000).append("x"), "invalid_log");
    await fails(store.log(0x10001).advanceHead(1), "invalid_log");
    await fails(log.advanceHead(-1), "type");
    equal(await log.append("more"), 5);
    await store.close();
  },

  "export, import and check": async (open) => {
    const store = await open();
    await fill(store, 50);
    await store.log(0).append("kept");
    const image = await store.export();
    equal(image instanceof Uint8Array, true);
    equal((await store.check()).findings, []);
    await store.clear();
    await store.set("later", "1");
    await store.import(image);
    equal([await store.size(), await store.get("key 0007"), await store.has("later")], [50, "value 7", false]);
    equal(await store.log(0).read(0, 4, "text"), "kept");
    await store.set("after", "1");
    equal(await store.size(), 51);
    await store.close();
  },

  "a store that became too small is made larger": async (open) => {
    let store = await open({ size: 1 << 20 });
    const value = "v".repeat(300_000);
    await store.log(0).append("kept");
    await store.log(0).advanceHead(1);
    await store.set("a", value);
    await fails(Promise.all(["b", "c", "d"].map((key) => store.set(key, value))), "full", indelible.FullError);
    const [change, , read] = [store.set("e", "before"), store.resize(3 << 20), store.get("e")];
    equal([await change, await read], [undefined, "before"]);
    await Promise.all(["b", "c", "d"].map((key) => store.set(key, value)));
    equal((await store.stats()).size, 3 << 20);
    equal(await store.log(0).state(), { head: 1, tail: 4, capacity: 65536 });
    equal([(await store.check()).ok, await store.get("a"), await store.log(0).read(undefined, undefined, "text")], [true, value, "ept"]);
    await fails(store.resize(-1), "type");
    await store.close();
    if (store.durability === "none") return;
    store = await open();
    equal([(await store.stats()).size, await store.get("c"), store.report.clean], [3 << 20, value, true]);
    await store.close();
  },

  "closing: what was called is done, what comes later is refused": async (open, { durability }) => {
    const store = await open();
    const last = store.set("a", "1");
    await store.close();
    equal(await last, undefined);
    await fails(store.get("a"), "closed", indelible.InterruptedError);
    await fails(store.set("a", "1"), "closed");
    await store.close();
    if (durability === "none") return;
    const again = await open();
    equal(await again.get("a"), "1");
    await again[Symbol.asyncDispose]();
    await fails(again.get("a"), "closed");
  },

  "ending a store ends what is under way": async (open, { durability }) => {
    const store = await open();
    await store.set("a", "1");
    const cut = store.set("b", "2");
    await Promise.resolve();
    store.terminate();
    await fails(cut, "terminated", indelible.InterruptedError);
    if (durability === "none") return;
    const again = await open();
    equal(await again.get("a"), "1");
    await again.close();
  },
};
