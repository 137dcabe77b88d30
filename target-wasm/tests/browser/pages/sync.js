// Every call of the synchronous store, in a worker of its own.
import * as indelible from "/js/worker-sync.js";
import { equal } from "./expect.js";

const { openSync } = indelible;
const utf8 = (text) => new TextEncoder().encode(text);

function throws(run, code) {
  try {
    run();
  } catch (error) {
    equal(error.code, code, error.message);
    return error;
  }
  throw new Error(`nothing was thrown; expected ${code}`);
}

const tests = {
  async "calls are done when they return"(name) {
    let store = await openSync(name, { logs: [65536] });
    equal([store.created, store.medium, store.durability, store.name], [true, "opfs", "strict", name]);
    store.set("a", "1");
    store.set("ä", new Uint8Array([0xff]));
    equal([store.get("a"), store.get("ä", "bytes"), store.has("b"), store.size()], ["1", new Uint8Array([0xff]), false, 2]);
    throws(() => store.get("ä"), "not_text");
    throws(() => store.set(new Uint8Array([0xff, 0x74]), "1"), "key_reserved");
    equal([store.delete("ä"), store.delete("ä")], [true, false]);
    for (let i = 0; i < 300; i++) store.set(`k${String(i).padStart(3, "0")}`, `v${i}`);
    equal([...store.keys({ gte: "k010", lt: "k012" })], ["k010", "k011"]);
    equal([...store.keys({ prefix: "k", reverse: true, limit: 2 })], ["k299", "k298"]);
    equal([...store.keys({ prefix: "k" })].length, 300);
    equal([...store.entries({ prefix: "k2", limit: 1, values: "bytes" })], [["k200", utf8("v200")]]);
    equal([...store][0], ["a", "1"]);
    equal(store.log(0).append("abc"), 0);
    equal(store.log(0).append("def"), 3);
    store.log(0).advanceHead(1);
    equal(store.log(0).read(undefined, undefined, "text"), "bcdef");
    equal(store.log(0).state().head, 1);
    store.close();
    throws(() => store.get("a"), "closed");
    store = await openSync(name);
    equal([store.created, store.report.clean, store.size(), store.get("k007")], [false, true, 301, "v7"]);
    store.resize(6 << 20);
    equal([store.stats().size, store.size(), store.get("k299"), store.log(0).state().head], [6 << 20, 301, "v299", 1]);
    store.clear();
    equal(store.size(), 0);
    store[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
  },

  async "a transaction commits or leaves nothing"(name) {
    const store = await openSync(name, { logs: [65536] });
    store.set("n", "1");
    const result = store.transaction((tx) => {
      tx.set("n", "2");
      tx.log(0).append("x");
      equal(tx.get("n"), "2");
      return "done";
    });
    equal([result, store.get("n")], ["done", "2"]);
    throws(
      () =>
        store.transaction(() => {
          store.set("n", "3");
          store.delete("n");
          store.set("", "no key");
        }),
      "key_empty",
    );
    equal([store.get("n"), store.log(0).state().tail], ["2", 1]);
    throws(() => store.transaction(() => store.transaction(() => 1)), "transaction_open");
    throws(() => store.transaction(async () => store.set("n", "4")), "type");
    equal(store.get("n"), "2");
    store.close();
  },

  async "export, import and check"(name) {
    const store = await openSync(name);
    store.set("a", "1");
    const image = store.export();
    store.clear();
    store.import(image);
    equal([store.get("a"), store.check().findings, store.stats().capacity > 0], ["1", [], true]);
    store.close();
  },

  async "it has the store for itself"(name) {
    const store = await openSync(name);
    const again = await openSync(name).catch((error) => error);
    equal([again.code, again instanceof indelible.MediumError], ["locked", true]);
    store.close();
    (await openSync(name)).close();
    const idb = await openSync(name, { media: ["indexeddb"] }).catch((error) => error);
    equal(idb.code, "type");
  },

  async "memory works too"(name) {
    const store = await openSync(name, { media: ["memory"] });
    store.set("a", "1");
    equal([store.get("a"), store.medium, store.durability], ["1", "memory", "none"]);
    store.close();
  },
};

/** Holds the store for a tab to find it taken. */
let held;

onmessage = async ({ data: { test, name, act } }) => {
  try {
    if (act === "names") return postMessage({ names: Object.keys(tests) });
    if (act === "hold") held = await openSync(name);
    else if (act === "let go") held.close();
    else await tests[test](name);
    postMessage({});
  } catch (error) {
    postMessage({ error: `${error.stack}` });
  }
};
