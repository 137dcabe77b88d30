/** Part 2: a console and a table over the visitor's store, and its worker killed. */
import { at, bytes, count, failed, fill, h, many } from "../dom";
import { changed, changes, kill, mine } from "../mine";

/** Rows of the table. */
const ROWS = 40;
/** Puts in flight while the worker is killed. */
const FLIGHT = 4;
/** Where the puts go. */
const PREFIX = "kill/";
/** Keys deleted in one transaction. */
const AT_ONCE = 200;

const HELP = `set KEY VALUE         durable when it answers
get KEY
delete KEY
keys [PREFIX]
pay FROM TO AMOUNT    one transaction over two keys and the log
append TEXT           to the log
log                   read it
fill COUNT            many keys, one flush
check                 verify every byte
stats
clear`;

export async function store() {
  const root = at("store-body");
  const lines = h("div", { class: "lines", tabindex: 0, "aria-label": "Answers", role: "log" });
  const ask = h("input", {
    type: "text",
    "aria-label": "Command",
    placeholder: "set colour blue",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
  });
  const form = h("form", { onsubmit: (event: Event) => void said(event) }, ask, h("button", { type: "submit" }, "Do it"));
  const body = h("tbody");
  const filter = h("input", { type: "text", "aria-label": "Show keys that begin with", placeholder: "keys that begin with\u2026", oninput: () => void list() });
  const key = h("input", { type: "text", "aria-label": "Key", placeholder: "key", required: true });
  const value = h("input", { type: "text", "aria-label": "Value", placeholder: "value" });
  const about = h("p", { class: "note", id: "store-about" }, "Opening\u2026");
  const rest = h("p", { class: "note" });
  const plug = h("button", { type: "button", class: "plug", onclick: () => void killed() }, "Kill the worker mid-write");
  const tally = h("div", { id: "store-kills", role: "status" });
  const past: string[] = [];
  let back = 0;
  let kills = 0;
  let [acknowledged, recovered] = [0, 0];

  fill(
    root,
    about,
    h(
      "div",
      { class: "pair" },
      h("div", { class: "card console" }, lines, form),
      h(
        "div",
        {},
        h(
          "form",
          { class: "field", onsubmit: (event: Event) => void put(event) },
          key,
          value,
          h("button", { type: "submit" }, "Set"),
        ),
        h("div", { class: "field", style: "margin-top:0.6rem" }, filter),
        h(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": "Keys of the store" },
          h("table", { id: "store-table" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "key"), h("th", { scope: "col" }, "value"), h("th", { scope: "col" }, h("span", { class: "away" }, "delete")))), body),
        ),
        rest,
      ),
    ),
    h("div", { class: "card", style: "margin-top:1.5rem" },
      h("div", { class: "tools", style: "margin:0" }, plug, h("span", { class: "note" }, "Puts stream in, four at a time; at a moment that nobody chose the worker is terminated. Then the store is opened again and every put that was acknowledged is looked up.")),
      tally),
  );

  ask.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    back = Math.max(0, Math.min(past.length, back + (event.key === "ArrowUp" ? 1 : -1)));
    ask.value = past[past.length - back] ?? "";
  });

  function print(text: string, kind: string) {
    lines.append(h("p", { class: kind }, text));
    while (lines.childNodes.length > 200) lines.firstChild?.remove();
    lines.scrollTop = lines.scrollHeight;
  }

  async function said(event: Event) {
    event.preventDefault();
    const line = ask.value.trim();
    if (!line) return;
    ask.value = "";
    past.push(line);
    back = 0;
    await run(line);
  }

  async function run(line: string) {
    print(line, "asked");
    const since = performance.now();
    try {
      const answer = await obey(line);
      const time = performance.now() - since;
      print(`${answer}${answer.endsWith("\n") ? "" : "  "}(${time < 1 ? time.toFixed(2) : time.toFixed(1)} ms)`, "said");
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      print(`${code ? `${code}: ` : ""}${message ?? error}`, "erred");
    }
  }

  async function obey(line: string): Promise<string> {
    const [command = "", ...words] = line.split(/\s+/);
    const tail = line.slice(command.length).trim();
    const store = await mine();
    switch (command.toLowerCase()) {
      case "set": {
        const [name = ""] = words;
        await store.set(name, tail.slice(name.length).trim());
        changed();
        return "ok";
      }
      case "get":
        return (await store.get(tail)) ?? "no such key";
      case "delete": {
        const there = await store.delete(tail);
        changed();
        return there ? "ok" : "no such key";
      }
      case "keys": {
        const found = [];
        for await (const name of store.keys({ prefix: tail, limit: 100 })) found.push(String(name));
        return found.join("\n") || "none";
      }
      case "pay": {
        const [from = "", to = "", amount = ""] = words;
        const paid = Number(amount);
        if (!from || !to || !(paid > 0)) return "pay FROM TO AMOUNT";
        await store.transaction(async (tx) => {
          const [a, b] = [Number((await tx.get(from)) ?? 100), Number((await tx.get(to)) ?? 0)];
          await tx.set(from, String(a - paid));
          await tx.set(to, String(b + paid));
          await tx.log(0).append(`${from} pays ${to} ${paid}\n`);
        });
        changed();
        return "ok: two keys and a log, at once";
      }
      case "append":
        await append(`${tail}\n`);
        changed();
        return "ok";
      case "log": {
        const log = store.log(0);
        const { head, tail: end } = await span();
        const from = Math.max(head, end - 2000);
        return new TextDecoder().decode(await log.read(from, end - from)) || "empty";
      }
      case "fill": {
        const many = Math.min(1000, Math.max(1, Math.floor(Number(words[0] ?? 100)) || 100));
        await Promise.all(Array.from({ length: many }, (_, i) => store.set(`fill/${String(i).padStart(4, "0")}`, `number ${i}`)));
        changed();
        return `${many} keys, one flush`;
      }
      case "check": {
        const checked = await store.check();
        return checked.ok ? `sound: ${count(checked.frames)} frames, ${count(checked.entries)} keys, ${count(checked.logBytes)} log bytes` : `${checked.damaged} damaged`;
      }
      case "stats":
        return JSON.stringify(await store.stats());
      case "clear":
        await store.clear();
        changed();
        return "ok";
      case "help":
        return HELP;
      default:
        return `no command \u201c${command}\u201d\n${HELP}`;
    }
  }

  async function span() {
    return (await mine()).log(0).state();
  }

  /** A log that keeps the newest: the head gives way. */
  async function append(line: string) {
    const store = await mine();
    const { head, tail } = await span();
    if (tail - head + line.length > 15_000) await store.log(0).advanceHead(head + 4000);
    await store.log(0).append(line);
  }

  async function put(event: Event) {
    event.preventDefault();
    if (!key.value) return;
    await run(`set ${key.value} ${value.value}`);
    key.value = value.value = "";
    key.focus();
  }

  let listing = 0;
  async function list() {
    const turn = ++listing;
    const store = await mine();
    const rows: [string, string][] = [];
    for await (const [name, text] of store.entries({ prefix: filter.value, limit: ROWS + 1 })) rows.push([String(name), String(text)]);
    const size = await store.size();
    if (turn !== listing) return;
    fill(
      body,
      ...rows.slice(0, ROWS).map(([name, text]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("code", {}, name)),
          h("td", {}, h("code", {}, text.length > 80 ? `${text.slice(0, 77)}\u2026` : text)),
          h("td", {}, h("button", { type: "button", class: "link", "aria-label": `Delete ${name}`, onclick: () => void run(`delete ${name}`) }, "\u00d7")),
        ),
      ),
    );
    fill(rest, many(size, "key"), rows.length > ROWS ? ` (the first ${ROWS} are shown)` : "");
  }

  async function open() {
    const store = await mine();
    const medium = store.medium === "opfs" ? "the private file system (OPFS)" : store.medium === "indexeddb" ? "IndexedDB" : "memory alone: this window keeps nothing";
    const report = store.report;
    const torn = report.torn === undefined ? "" : ` A torn transaction of ${report.torn} bytes was dropped.`;
    const { used, capacity } = await store.stats();
    about.dataset["medium"] = store.medium;
    fill(about, `${store.created ? "Made just now" : report.clean ? "Found again, closed in order" : "Found again, not closed in order"}, on ${medium}; durability ${store.durability}; ${bytes(used)} of ${bytes(capacity)} used.${torn}`);
  }

  async function killed() {
    plug.setAttribute("disabled", "");
    try {
      const store = await mine();
      await forget();
      let [next, known] = [0, 0];
      const acked: number[] = [];
      const stream = async () => {
        for (;;) {
          const mine = next++;
          await store.set(name(mine), `put ${mine} at ${Date.now()}`);
          acked.push(mine);
          known += 1;
          if (known % 16 === 0) fill(tally, h("p", { class: "verdict" }, `acknowledged ${count(known)}\u2026`));
        }
      };
      const streams = Array.from({ length: FLIGHT }, () => stream().catch(() => {}));
      await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 700));
      await kill();
      await Promise.all(streams);
      const tried = next;
      // Anew, from what the medium holds.
      await open();
      const found = new Set<string>();
      for await (const name of (await mine()).keys({ prefix: PREFIX })) found.add(String(name));
      const lost = acked.filter((number) => !found.has(name(number)));
      const more = found.size - (acked.length - lost.length);
      kills += 1;
      acknowledged += acked.length;
      recovered += acked.length - lost.length;
      const data = tally.dataset;
      data["acknowledged"] = String(acked.length);
      data["recovered"] = String(acked.length - lost.length);
      data["kills"] = String(kills);
      fill(
        tally,
        h("p", { class: `verdict ${lost.length ? "bad" : "good"}`, style: "margin-top:1rem" }, `acknowledged ${count(acked.length)}, recovered ${count(acked.length - lost.length)}`),
        h("p", { class: "note" }, `${many(tried - acked.length, "put was", "puts were")} in flight; ${more === 0 ? "none of them had reached the disk" : `${count(more)} of them had reached the disk, as a whole`}. `,
          `Over ${many(kills, "kill")}: acknowledged ${count(acknowledged)}, recovered ${count(recovered)}.`),
      );
      await forget();
    } catch (error) {
      failed(tally, error);
    } finally {
      plug.removeAttribute("disabled");
      changed();
    }
  }

  function name(number: number) {
    return PREFIX + String(number).padStart(6, "0");
  }

  /** Deletes what a kill left. */
  async function forget() {
    const store = await mine();
    const names: string[] = [];
    for await (const name of store.keys({ prefix: PREFIX })) names.push(String(name));
    for (let from = 0; from < names.length; from += AT_ONCE) {
      await Promise.all(names.slice(from, from + AT_ONCE).map((name) => store.delete(name)));
    }
  }

  changes.addEventListener("changed", () => void list());
  await open();
  await list();
  print("a store is open; type help, or", "said");
  print("pay alice bob 30", "said");
}
