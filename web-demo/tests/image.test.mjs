// An image made by the host's command opens in the page.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { demo, part } from "./support/page.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
let site;
let folder;
before(async () => {
  site = await demo();
  folder = await mkdtemp(join(tmpdir(), "indelible-image-"));
});
after(async () => {
  await site?.close();
  await rm(folder, { recursive: true, force: true });
});

function indelible(args, input) {
  return execFileSync("cargo", ["run", "--quiet", "--package", "indelible-dax", "--bin", "indelible", "--", ...args], { cwd: root, input });
}

async function take(page, path) {
  const body = await part(page, "image");
  await body.locator("input[type=file]").setInputFiles(path);
  return body;
}

test("a store made by the command shows its keys, logs and segments", async () => {
  const path = join(folder, "notes.ind");
  indelible(["create", path, "--size", "1M", "--logs", "1:16K"]);
  for (let i = 0; i < 60; i++) indelible(["put", path, `key ${String(i).padStart(2, "0")}`, `value of ${i}`]);
  indelible(["log", "append", path, "0"], "started on the host\n");
  const page = await site.page();
  const body = await take(page, path);
  await body.getByRole("heading", { name: "60 keys" }).waitFor();
  await body.getByText("Sound", { exact: true }).waitFor();
  await page.locator("#image-keys").getByText("value of 49", { exact: true }).waitFor();
  assert.equal(await page.locator("#image-keys tbody tr").count(), 50);
  await body.getByRole("button", { name: "More keys" }).click();
  await page.locator("#image-keys").getByText("value of 59", { exact: true }).waitFor();
  assert.equal(await page.locator("#image-keys tbody tr").count(), 60);
  assert.match(await body.locator("pre.log").textContent(), /started on the host/);
  assert.deepEqual(page.problems, []);

  // A value of it decays.
  const bytes = await readFile(path);
  const at = bytes.lastIndexOf("value of 31");
  assert.ok(at > 0);
  bytes.fill(0xa5, at, at + 8);
  const hurt = join(folder, "hurt.ind");
  await writeFile(hurt, bytes);
  await take(page, hurt);
  await body.getByText(/^1 item is damaged$/).waitFor();
  await body.getByText(/damaged: value of key 31 at byte/).waitFor();
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("a dump of the simulated chip opens", async () => {
  const page = await site.page();
  const body = await part(page, "image");
  await body.getByRole("button", { name: "Take a dump of a chip" }).click();
  await body.getByText(/of flash with write units of 4 B and sectors of 2 KiB, 24 segments/).waitFor();
  await body.getByText("Sound", { exact: true }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("what is no image is refused by name", async () => {
  const path = join(folder, "noise");
  await writeFile(path, Buffer.alloc(70_003, "no store at all "));
  const page = await site.page();
  const body = await take(page, path);
  await body.getByText("noise: no store found").waitFor();
  const empty = join(folder, "empty");
  await writeFile(empty, "");
  await take(page, empty);
  await body.getByText(/^empty: no store found/).waitFor();
  assert.deepEqual(page.problems, []);
  await page.close();
});
