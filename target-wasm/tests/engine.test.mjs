import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openNode } from "../js/medium-node.js";
import { Cut, Disk, Store, bytes, entriesOf, keysOf, openFile, openMemory, random, seed, text, watched } from "./support.mjs";

const MIB = 1 << 20;
const code = (expected) => (error) => (assert.equal(error.code, expected, error.stack), true);
const FULL = { code: "full" };
const memory = (options, size = MIB) => Store.open(openMemory(size), options);

console.log(`seed ${seed}: SEED=${seed} tests/run wasm`);

/** Random operations, done to a store and to plain maps; `note` is told of each. */
function exercise(store, model, next, count, note = () => {}) {
  const key = () => `key/${next(200)}`;
  const value = () => new Uint8Array(next(10) ? next(200) : next(9000)).fill(1 + next(255));
  const hex = (data) => Buffer.from(data).toString("hex") || "-";
  const one = (target, into) => {
    const kind = next(10);
    if (kind < 6) {
      const [k, v] = [key(), value()];
      target.set(k, v);
      into.keys.set(k, v);
      note(`set ${hex(bytes(k))} ${hex(v)}`);
    } else if (kind < 8) {
      const k = key();
      const there = into.keys.delete(k);
      assert.equal(target.delete(k), there);
      if (there) note(`delete ${hex(bytes(k))}`);
    } else if (kind < 9) {
      const data = value().subarray(0, 300);
      assert.equal(target.append(0, data), into.log.tail);
      into.log.data.push(...data);
      into.log.tail += data.length;
      note(`append 0 ${hex(data)}`);
    } else {
      const cut = Math.min(into.log.data.length, next(1200));
      into.log.data.splice(0, cut);
      const head = into.log.tail - into.log.data.length;
      target.advanceHead(0, head);
      note(`head 0 ${head}`);
    }
  };
  for (let i = 0; i < count; i++) {
    if (store.span(0).tail - store.span(0).head > 50_000) {
      model.log.data.length = 0;
      store.advanceHead(0, model.log.tail);
      note(`head 0 ${model.log.tail}`);
    }
    if (next(4)) {
      one(store, model);
      continue;
    }
    const copy = { keys: new Map(model.keys), log: { ...model.log, data: [...model.log.data] } };
    note("begin");
    const abort = next(3) === 0;
    try {
      store.transaction((tx) => {
        for (let n = next(12) + 1; n > 0; n--) one(tx, copy);
        if (abort) throw new Cut();
      });
      Object.assign(model, copy);
      note("commit");
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      note("abort");
    }
  }
}

const empty = () => ({ keys: new Map(), log: { data: [], tail: 0 } });

function same(store, model) {
  assert.equal(store.size, model.keys.size);
  const sorted = [...model.keys].sort(([a], [b]) => Buffer.compare(bytes(a), bytes(b)));
  const found = [...entriesOf(store)].map(([k, v]) => [text(k), v]);
  assert.deepEqual(found, sorted);
  for (const [k, v] of sorted) assert.deepEqual(store.get(k), v);
  assert.equal(store.get("absent"), undefined);
  const { head, tail } = store.span(0);
  assert.equal(tail, model.log.tail);
  assert.equal(head, model.log.tail - model.log.data.length);
  assert.deepEqual([...store.read(0)], model.log.data);
}

test("a blank medium is a new store, and says so once", () => {
  const medium = openMemory(MIB);
  const store = Store.open(medium);
  assert.equal(store.created, true);
  store.set("a", bytes("1"));
  const again = Store.open(openMemory(store.export()));
  assert.equal(again.created, false);
  assert.equal(text(again.get("a")), "1");
});

test("random operations agree with plain maps, through cuts and closes", () => {
  const next = random();
  let store = memory({ logs: [65536] }, 2 * MIB);
  const model = empty();
  for (let round = 0; round < 12; round++) {
    exercise(store, model, next, 150);
    same(store, model);
    const image = store.export();
    if (round % 2) store.close();
    store = Store.open(openMemory(round % 2 ? imageOf(store.medium) : image));
    assert.equal(store.report.clean, round % 2 === 1);
    same(store, model);
  }
  assert.equal(store.check().ok, true);
});

function imageOf(medium) {
  const image = new Uint8Array(medium.size);
  medium.read(0, image);
  return image;
}

test("a script leaves the bytes that the native build leaves", { skip: !process.env.SCRIPT && "SCRIPT is not set" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "indelible-"));
  const next = random();
  const nonce = BigInt(next(2 ** 32));
  // Small enough for room to be reclaimed.
  const script = [`store ${MIB} ${nonce} 65536`];
  let store = memory({ logs: [65536], nonce });
  const model = empty();
  for (const how of ["open", "close", "open", "close", ""]) {
    exercise(store, model, next, 300, (line) => script.push(line));
    const { medium } = store;
    if (how === "close") store.close();
    const image = imageOf(medium);
    if (how) {
      script.push(how);
      store = Store.open(openMemory(image));
      continue;
    }
    writeFileSync(join(folder, "script"), script.join("\n"));
    execFileSync(process.env.SCRIPT, [join(folder, "script"), join(folder, "image")]);
    const native = readFileSync(join(folder, "image"));
    assert.equal(Buffer.compare(native, image), 0, "the images differ");
  }
  rmSync(folder, { recursive: true });
});

test("a durable put is one write of few bytes and one flush", () => {
  const medium = watched(MIB);
  const store = Store.open(medium);
  let put = 0;
  const rounds = 400;
  for (let i = 0; i < rounds; i++) {
    const [writes, flushes] = [medium.seen.writes.length, medium.seen.flushes];
    store.set(`user/${1000 + i}/name`, new Uint8Array(32).fill(i));
    const runs = medium.seen.writes.slice(writes);
    if (runs.length === 1 && medium.seen.flushes === flushes + 1 && runs[0][1] <= 72) put++;
  }
  const written = medium.seen.writes.reduce((sum, [, length]) => sum + length, 0);
  assert.ok(put > rounds * 0.98, `${put} of ${rounds}`);
  assert.ok(written / rounds < 128, `${written / rounds} bytes a put`);
});

test("a transaction is one write and one flush, and nothing before its commit", () => {
  const medium = watched(MIB);
  const store = Store.open(medium);
  store.set("first", bytes("x"));
  const before = medium.seen.writes.length;
  store.transaction((tx) => {
    for (let i = 0; i < 100; i++) tx.set(`row/${i}`, bytes("0123456789"));
    assert.equal(text(tx.get("row/7")), "0123456789");
    assert.equal(medium.seen.writes.length, before);
  });
  assert.equal(medium.seen.writes.length, before + 1);
  assert.throws(() => store.transaction((tx) => tx.delete("row/7") && tx.get("row/7").length), TypeError);
  assert.equal(text(store.get("row/7")), "0123456789");
  assert.throws(() => store.transaction(async () => {}), code("usage"));
});

test("encoded operations have a result each", () => {
  const store = memory({ logs: [1000] });
  const op = (kind, a, key, value) => {
    const head = new Uint8Array(8);
    new DataView(head.buffer).setUint16(2, a, true);
    new DataView(head.buffer).setUint32(4, value.length, true);
    head[0] = kind;
    return Buffer.concat([head, key, value]);
  };
  const set = (key, value) => op(1, key.length, bytes(key), bytes(value));
  const del = (key) => op(2, key.length, bytes(key), bytes(""));
  const append = (log, data) => op(4, log, bytes(""), bytes(data));
  const results = store.apply(Buffer.concat([set("a", "1"), set("", "1"), del("b"), append(0, "xyz"), append(7, "xyz"), del("a"), append(0, "z")]));
  assert.deepEqual(results.map((result) => result?.code ?? result), [undefined, "key_empty", false, 0, "invalid_log", true, 3]);
  store.commit();
  assert.equal(text(store.read(0)), "xyzz");
  assert.equal(store.size, 0);
  const failing = store.apply(Buffer.concat([set("c", "1"), append(0, "w".repeat(2000)), set("d", "1")]));
  assert.deepEqual(failing.map((result) => result?.code), [undefined, "log_full", undefined]);
  store.abort();
  assert.equal(store.size, 0);
  assert.deepEqual(store.apply(Buffer.concat([set("c", "1"), set("d", "2"), op(3, 0, bytes(""), bytes("")), set("e", "3")])), [undefined, undefined, 2, undefined]);
  store.commit();
  assert.deepEqual(keysOf(store).map(text), ["e"]);
});

test("ranges are as a sorted array has them", () => {
  const store = memory();
  const next = random();
  const all = new Set();
  while (all.size < 500) all.add(String.fromCharCode(...Array.from({ length: 1 + next(5) }, () => 97 + next(4))) + (next(3) ? "" : "\u00ff"));
  store.transaction((tx) => all.forEach((key) => tx.set(key, bytes(key.repeat(3)))));
  const sorted = [...all].map(bytes).sort(Buffer.compare);
  const some = () => sorted[next(sorted.length)].subarray(0, 1 + next(5));
  for (let i = 0; i < 300; i++) {
    const range = {};
    for (const bound of ["gte", "gt", "lt", "lte", "prefix"]) if (next(4) === 0) range[bound] = some();
    if (range.gt) delete range.gte;
    if (range.lte) delete range.lt;
    const inside = (key) =>
      !(range.gte && Buffer.compare(key, range.gte) < 0) &&
      !(range.gt && Buffer.compare(key, range.gt) <= 0) &&
      !(range.lt && Buffer.compare(key, range.lt) >= 0) &&
      !(range.lte && Buffer.compare(key, range.lte) > 0) &&
      !(range.prefix && Buffer.compare(key.subarray(0, range.prefix.length), range.prefix) !== 0);
    const expected = sorted.filter(inside);
    if (next(2)) (range.reverse = true) && expected.reverse();
    if (next(2)) expected.length = Math.min(expected.length, (range.limit = 1 + next(20)));
    if (next(2)) range.bytes = 1 + next(300);
    assert.deepEqual(keysOf(store, range).map(text), expected.map(text), JSON.stringify(range));
    assert.deepEqual([...entriesOf(store, range)].map(([, v]) => text(v)), expected.map((key) => text(key).repeat(3)));
  }
});

test("room is reclaimed before a transaction, as none is within", () => {
  const store = memory();
  for (let round = 0; round < 200; round++) {
    store.transaction((tx) => {
      for (let row = 0; row < 40; row++) tx.set(`row/${row}`, new Uint8Array(900).fill(round));
    });
  }
  assert.equal(store.get("row/7")[0], 199);
  assert.equal(Store.open(openMemory(store.export())).get("row/39")[0], 199);
});

test("index and undo memory grow", () => {
  const store = memory({}, 8 * MIB);
  store.transaction((tx) => {
    for (let i = 0; i < 20_000; i++) tx.set(`k${i}`, bytes("v"));
  });
  assert.equal(store.size, 20_000);
  const again = Store.open(openMemory(store.export()));
  assert.equal(again.size, 20_000);
  assert.equal(again.clear(), 20_000);
  assert.equal(again.size, 0);
});

test("values may be much larger than a segment", () => {
  const store = memory({}, 4 * MIB);
  const large = Uint8Array.from({ length: 700_000 }, (_, i) => i * 7);
  store.set("large", large);
  assert.deepEqual(store.get("large"), large);
  assert.deepEqual([...entriesOf(store)][0][1], large);
  assert.deepEqual(Store.open(openMemory(store.export())).get("large"), large);
});

test("limits are errors with a code and figures, and lose nothing", () => {
  const store = memory({ logs: [5000] });
  assert.throws(() => store.set("", bytes("v")), code("key_empty"));
  assert.throws(() => store.set("k".repeat(store.about.keyMax + 1), bytes("v")), (error) => error.code === "key_too_long" && error.max === store.about.keyMax);
  assert.throws(() => store.set("k".repeat(70_000), bytes("v")), code("key_too_long"));
  store.set("k".repeat(store.about.keyMax), bytes("v"));
  assert.throws(() => store.set("v", new Uint8Array(MIB)), code("value_too_long"));
  assert.throws(() => store.append(1, bytes("x")), code("invalid_log"));
  assert.throws(() => store.append(0, new Uint8Array(6000)), (error) => error.code === "log_full" && error.needed === 6000);
  store.append(0, bytes("hello"));
  store.advanceHead(0, 2);
  assert.throws(() => store.read(0, 1, 1), (error) => error.code === "before_head" && error.head === 2);
  assert.throws(() => store.read(0, 2, 9), (error) => error.code === "past_tail" && error.tail === 5);
  let keys = 0;
  assert.throws(() => {
    for (;; keys++) store.set(`full/${keys}`, new Uint8Array(500));
  }, (error) => error.code === "full" && error.needed > error.available);
  assert.equal(store.size, keys + 1);
  for (let i = 0; i < keys; i++) assert.equal(store.delete(`full/${i}`), true);
  store.set("again", bytes("room"));
  store.close();
  assert.throws(() => store.get("again"), code("closed"));
  assert.throws(() => memory({ logs: [MIB] }), code("geometry"));
  assert.throws(() => Store.open({ size: 2 ** 31, created: true }), (error) => error.code === "memory" && error.limit === 2 ** 30);
});

test("a medium that fails leaves a store that has to be opened again", () => {
  const medium = watched(MIB);
  const store = Store.open(medium);
  store.set("a", bytes("1"));
  medium.fails.flush = true;
  assert.throws(() => store.set("a", bytes("2")), (error) => error.code === "medium" && error.cause.message === "flush failed");
  medium.fails.flush = false;
  assert.throws(() => store.set("a", bytes("3")), code("poisoned"));
  medium.created = false;
  const again = Store.open(medium);
  assert.ok(["1", "2"].includes(text(again.get("a"))));
  medium.fails.read = true;
  assert.throws(() => Store.open(medium), code("medium"));
});

test("a check reads the medium again: a flipped bit is healed, a hole is named", () => {
  const image = (() => {
    const store = memory();
    for (let i = 0; i < 50; i++) store.set(`key/${i}`, bytes(`value of ${i} is this`));
    store.close();
    return imageOf(store.medium);
  })();
  const medium = openMemory(image);
  const store = Store.open(medium);
  const at = Buffer.from(image).indexOf("value of 7 is");
  medium.write(at, Uint8Array.of(image[at] ^ 4));
  const healed = store.check();
  assert.deepEqual([healed.ok, healed.damaged], [true, 0]);
  assert.ok(healed.findings.some((finding) => finding.code === "healed"));
  assert.equal(text(store.get("key/7")), "value of 7 is this");
  medium.write(at, new Uint8Array(9));
  const damaged = store.check();
  assert.equal(damaged.ok, false);
  const lost = damaged.findings.find((finding) => finding.code === "damaged");
  assert.equal(text(lost.key), "key/7");
  assert.throws(() => store.get("key/7"), code("corrupt"));
  assert.equal(text(store.get("key/8")), "value of 8 is this");
  const target = memory();
  target.set("mine", bytes("stays"));
  assert.throws(() => target.import(imageOf(medium)), code("corrupt"));
  assert.throws(() => target.import(new Uint8Array(MIB)), code("not_a_store"));
  assert.throws(() => target.import(new Uint8Array(MIB).fill(9)), code("not_a_store"));
  assert.equal(text(target.get("mine")), "stays");
});

test("an image is exported, imported and made anew", () => {
  const store = memory({ logs: [3000] });
  store.set("a", bytes("1"));
  store.append(0, bytes("log"));
  const image = store.export();
  const target = memory({}, 2 * MIB);
  target.set("b", bytes("2"));
  target.import(image);
  assert.deepEqual([text(target.get("a")), target.get("b"), text(target.read(0))], ["1", undefined, "log"]);
  assert.equal(target.about.size, MIB);
  target.set("c", bytes("3"));
  assert.equal(text(Store.open(openMemory(target.export())).get("c")), "3");
});

test("a store is copied into a larger or smaller one, or stays as it is", () => {
  const store = memory({ logs: [5000, 100] });
  const next = random();
  const model = new Map();
  while (model.size < 700) {
    const [key, value] = [`key/${next(10_000)}`, new Uint8Array(next(300)).fill(next(256))];
    store.set(key, value);
    model.set(key, value);
  }
  let tail = 0;
  for (let i = 0; i < 100; i++) {
    if (tail > 3000) store.advanceHead(0, tail - 2000);
    tail = store.append(0, new Uint8Array(1000).fill(i)) + 1000;
  }
  store.append(1, bytes("short"));
  const [first, log] = [store.span(0), store.read(0)];
  const large = new Uint8Array(200_000).fill(7);
  const add = () => {
    for (let i = 0; i < 5; i++) store.set(`large/${i}`, large);
  };
  assert.throws(add, FULL);
  for (let i = 0; i < 5; i++) store.delete(`large/${i}`);
  const held = () => {
    assert.deepEqual([store.span(0), store.read(0)], [first, log]);
    assert.equal(text(store.read(1)), "short");
    for (const [key, value] of model) assert.deepEqual(store.get(key), value);
    assert.equal(store.size, model.size);
    assert.equal(store.check().ok, true);
    assert.equal(store.report.clean, true);
  };
  store.resize(4 * MIB - 1);
  assert.equal(store.about.size, 4 * MIB);
  held();
  add();
  assert.throws(() => store.resize(MIB), FULL);
  assert.throws(() => store.resize(1000), code("geometry"));
  assert.throws(() => store.resize(2 ** 31), code("memory"));
  for (const [key, value] of model) assert.deepEqual(store.get(key), value);
  for (let i = 0; i < 5; i++) store.delete(`large/${i}`);
  store.resize(2 * MIB);
  assert.equal(store.about.size, 2 * MIB);
  held();
});

test("power may fail anywhere while a store is copied into a larger one", () => {
  const next = random();
  for (let budget = 0, done = false; !done; budget++) {
    const disk = new Disk();
    const store = onDisk(disk, { logs: [1000] });
    store.set("old", bytes("store"));
    store.append(0, bytes("log"));
    disk.budget = budget;
    try {
      store.resize(512 * 1024);
      done = true;
    } catch (error) {
      assert.ok(error instanceof Cut || error.cause instanceof Cut, error.stack);
    }
    disk.restart(next);
    const found = onDisk(disk);
    assert.deepEqual([text(found.get("old")), text(found.read(0))], ["store", "log"]);
    assert.ok([256 * 1024, 512 * 1024].includes(found.about.size));
    if (done) assert.equal(found.about.size, 512 * 1024);
    found.set("goes", bytes("on"));
  }
});

test("what the engine notes for other tabs is not shown, and hides nothing", () => {
  const store = memory();
  const keys = [[1], [0xff], [0xff, 0x73], [0xff, 0x74], [0xff, 0x74, 0], [0xff, 0x75]].map((key) => Uint8Array.from(key));
  for (const key of keys) store.set(key, bytes("{}"));
  const shown = keys.filter((_, i) => i !== 3);
  assert.equal(store.size, shown.length);
  const paged = (range) => {
    const found = [];
    for (let ask = { ...range, limit: 1 }; ; ) {
      const page = store.scan(ask);
      found.push(...page.keys);
      if (page.done) return found;
      ask = { ...ask, [range.reverse ? "lt" : "gt"]: page.keys.at(-1) };
    }
  };
  assert.deepEqual(paged({}), shown);
  assert.deepEqual(paged({ reverse: true }), shown.slice().reverse());
  assert.deepEqual(keysOf(store), shown);
  assert.deepEqual(keysOf(store, { gte: keys[3], lte: keys[3] }), []);
});

/** CRC-32C as a segment's header has it. */
function crc32c(data) {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

test("an image of flash, or of another version, is refused by name", () => {
  const image = memory().export();
  const header = (change) => {
    const changed = image.slice();
    change(changed);
    new DataView(changed.buffer).setUint32(36, crc32c(changed.subarray(0, 36)), true);
    return changed;
  };
  assert.deepEqual(header(() => {}), image);
  assert.throws(() => Store.open(openMemory(header((bytes) => (bytes[5] |= 1)))), code("geometry"));
  assert.throws(() => Store.open(openMemory(header((bytes) => (bytes[4] = 9)))), (error) => error.code === "version_unsupported" && error.found === 9);
  assert.throws(() => Store.open(openMemory(image.subarray(0, MIB / 2))), code("medium_too_small"));
});

const onDisk = (disk, options = {}) => Store.open(openFile(disk.handle(), 256 * 1024), options);

test("power may fail anywhere while a store is made", () => {
  const next = random();
  for (let budget = 0, done = false; !done; budget++) {
    const disk = new Disk();
    disk.most = 1 + next(5000);
    disk.budget = budget;
    try {
      onDisk(disk).set("a", bytes("acknowledged"));
      done = true;
    } catch (error) {
      assert.ok(error instanceof Cut || error.cause instanceof Cut, error.stack);
    }
    disk.restart(next);
    const store = onDisk(disk);
    if (done) assert.equal(text(store.get("a")), "acknowledged");
    else if (store.get("a")) assert.equal(text(store.get("a")), "acknowledged");
    store.set("b", bytes("goes on"));
    assert.equal(disk.now.length % 4096, 0);
  }
});

test("power may fail anywhere while an image is imported", () => {
  const next = random();
  const source = memory({}, 384 * 1024);
  source.set("new", bytes("store"));
  const image = source.export();
  for (let budget = 0, done = false; !done; budget++) {
    const disk = new Disk();
    const store = onDisk(disk);
    store.set("old", bytes("store"));
    disk.budget = budget;
    try {
      store.import(image);
      done = true;
    } catch (error) {
      assert.ok(error instanceof Cut || error.cause instanceof Cut, error.stack);
    }
    for (let again = 0; again < 3; again++) {
      disk.restart(next);
      disk.budget = next(40);
      try {
        onDisk(disk);
      } catch (error) {
        assert.ok(error instanceof Cut || error.cause instanceof Cut, error.stack);
      }
    }
    disk.restart(next);
    const found = onDisk(disk);
    const held = keysOf(found).map(text).join();
    assert.ok(done ? held === "new" : held === "new" || held === "old", `${held} at ${budget}`);
    assert.equal(disk.now.length, found.about.size);
    found.set("goes", bytes("on"));
  }
});

test("acknowledged is recovered, whatever of the last commit is lost", () => {
  const next = random();
  const disk = new Disk();
  let store = onDisk(disk);
  const model = new Map();
  for (let round = 0; round < 60; round++) {
    disk.budget = 1 + next(30);
    let trying;
    try {
      for (;;) {
        trying = [`k${next(40)}`, new Uint8Array(next(700)).fill(1 + next(255))];
        store.set(...trying);
        model.set(...trying);
      }
    } catch (error) {
      assert.ok(error instanceof Cut || error.cause instanceof Cut, error.stack);
    }
    disk.restart(next);
    store = onDisk(disk);
    const last = store.get(trying[0]);
    const old = model.get(trying[0]);
    const took = last && Buffer.compare(last, trying[1]) === 0;
    assert.ok(took || Buffer.compare(last ?? bytes(""), old ?? bytes("")) === 0);
    if (took) model.set(...trying);
    for (const [key, value] of model) assert.deepEqual(store.get(key), value);
  }
});

test("a file of Node is locked, short of one whose process is gone", () => {
  const folder = mkdtempSync(join(tmpdir(), "indelible-"));
  const path = join(folder, "store");
  const open = () => Store.open(openNode(path, { size: MIB }));
  const first = open();
  first.set("a", bytes("1"));
  assert.throws(open, (error) => error.code === "locked" && error.owner === process.pid);
  first.close();
  const gone = spawnSync(process.execPath, ["--version"]).pid;
  writeFileSync(`${path}.lock`, String(gone));
  const second = open();
  assert.equal(second.created, false);
  assert.equal(text(second.get("a")), "1");
  second.close();
  rmSync(folder, { recursive: true });
});
