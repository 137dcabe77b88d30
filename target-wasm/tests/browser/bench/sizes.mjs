// What a page downloads of each: bundled and minified by Vite, brotli 11.
import { brotliCompressSync, constants } from "node:zlib";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { code } from "../harness.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const entries = {
  Indelible: `import { Indelible } from "${join(code, "js/index.js")}"; globalThis.used = Indelible;`,
  "idb-keyval": `import { get, set } from "idb-keyval"; globalThis.used = [get, set];`,
  Dexie: `import Dexie from "dexie"; globalThis.used = Dexie;`,
  "sqlite-wasm": `import sqlite from "@sqlite.org/sqlite-wasm"; globalThis.used = sqlite;`,
};

export const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }).length;

/** Rows of name, bytes of all files together, unit. */
export async function downloads() {
  const rows = [];
  for (const [name, entry] of Object.entries(entries)) {
    const folder = await mkdtemp(join(tmpdir(), "indelible-size-"));
    try {
      await writeFile(join(folder, "entry.js"), entry);
      await build({
        root: folder,
        logLevel: "error",
        resolve: { alias: Object.fromEntries(["idb-keyval", "dexie", "@sqlite.org/sqlite-wasm"].map((name) => [name, here(`../node_modules/${name}`)])) },
        worker: { format: "es" },
        build: { outDir: "out", assetsInlineLimit: 0, rollupOptions: { input: join(folder, "entry.js") } },
      });
      const files = await readdir(join(folder, "out"), { recursive: true, withFileTypes: true });
      let sum = 0;
      // SQLite's own worker and its other file system are not fetched by who uses neither.
      for (const file of files.filter((file) => file.isFile() && !/^sqlite3-(worker1|opfs)/.test(file.name))) {
        const size = brotli(await readFile(join(file.parentPath ?? file.path, file.name)));
        sum += size;
        if (process.env.FILES) console.log(name, file.name, size);
      }
      rows.push([name, sum, "bytes"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return rows;
}
