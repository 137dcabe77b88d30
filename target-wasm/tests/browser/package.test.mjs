// The package as npm packs it, in a fresh project: types, Vite's build and its
// development server, a plain page, a server, and Node.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build, createServer } from "vite";
import { browse, code, policy, serve, tab } from "./harness.mjs";

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let project, browser;
before(async () => {
  project = await mkdtemp(join(tmpdir(), "indelible-project-"));
  await cp(here("project"), project, { recursive: true });
  await writeFile(join(project, "package.json"), '{ "name": "project", "private": true, "type": "module" }');
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: code });
  await run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", `./${stdout.trim()}`], { cwd: project });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await rm(project, { recursive: true, force: true });
});

/** What src/main.ts found out, on a page at `url`. */
async function outcome(url) {
  const page = await tab(browser.context, url);
  await page.waitForFunction(() => window.outcome);
  const found = await page.evaluate(() => window.outcome);
  assert.deepEqual(page.problems, []);
  await page.close();
  return found;
}

const expected = { page: ["opfs strict", "vite", 2], worker: ["1", "line", ["a"]] };

test("the types hold", async () => {
  const { stdout } = await run(here("node_modules/.bin/tsc"), ["-p", project]).catch((error) => error);
  assert.equal(stdout, "");
});

for (const format of ["iife", "es"]) {
  test(`Vite builds it, with workers as ${format}, and it runs under the policy`, async () => {
    await build({ root: project, logLevel: "error", base: "./", worker: { format }, build: { outDir: `out-${format}`, target: "esnext" } });
    const headers = { "content-security-policy": `${policy}; img-src data:` };
    const server = await serve({ "/": join(project, `out-${format}`) }, { headers });
    try {
      assert.deepEqual(await outcome(server.url), expected);
    } finally {
      await server.close();
    }
  });
}

test("it runs from Vite's development server", async () => {
  const server = await createServer({
    root: project,
    logLevel: "error",
    cacheDir: join(project, ".vite"),
    server: { port: 0, host: "127.0.0.1", hmr: false, fs: { strict: false } },
    optimizeDeps: { exclude: ["indelible-wasm"] },
  });
  await server.listen();
  try {
    const { port } = server.httpServer.address();
    assert.deepEqual(await outcome(`http://127.0.0.1:${port}/`), expected);
  } finally {
    await server.close();
  }
});

test("it runs from a plain module script", async () => {
  const pages = {
    "/": '<!doctype html><title>plain</title><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>',
    "/main.js": `import { Indelible } from "/indelible/js/index.js";
      const store = await Indelible.open("plain");
      await store.set("a", "1");
      window.outcome = await store.get("a");`,
  };
  const headers = { "content-security-policy": `${policy}; img-src data:` };
  const server = await serve({ "/indelible/": join(project, "node_modules/indelible-wasm") }, { pages, headers });
  try {
    assert.equal(await outcome(server.url), "1");
  } finally {
    await server.close();
  }
});

test("importing the page's code on a server does nothing, opening says what is missing", async () => {
  const script = `
    const { Indelible } = await import("./node_modules/indelible-wasm/js/index.js");
    const error = await Indelible.open("a").catch((error) => error);
    console.log(error.name, error.code, await Indelible.persist());`;
  const { stdout } = await run("node", ["--input-type=module", "-e", script], { cwd: project });
  assert.equal(stdout.trim(), "MediumError unavailable false");
});

test("on Node the same calls work over a file", async () => {
  const script = `
    import { Indelible } from "indelible-wasm";
    import { openSync } from "indelible-wasm/sync";
    const store = await Indelible.open("node.ind");
    await Promise.all([store.set("a", "1"), store.set("b", "2"), store.log(0).append("line")]);
    await store.transaction(async (tx) => tx.set("a", String(Number(await tx.get("a")) + 1)));
    const busy = await openSync("node.ind").catch((error) => error.code);
    await store.close();
    const sync = await openSync("node.ind");
    console.log(store.medium, store.durability, sync.get("a"), [...sync.keys()].join(), sync.log(0).read(0, 4, "text"), busy);
    sync.close();`;
  const { stdout } = await run("node", ["--input-type=module", "-e", script], { cwd: project });
  assert.equal(stdout.trim(), "file strict 2 a,b line locked");
});
