// What a visitor downloads, by brotli as a server would send it. Fails above
// the limit, which keeps it from growing; the goal is further down.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

/** Bytes of everything. */
const LIMIT = 171 * 1024;
const GOAL = 100 * 1024;

const dist = fileURLToPath(new URL("dist", import.meta.url));
const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } };
let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = `${entry.parentPath}/${entry.name}`;
  const size = brotliCompressSync(readFileSync(path), options).length;
  total += size;
  console.log(`${String(size).padStart(8)}  ${path.slice(dist.length + 1)}`);
}
console.log(`${String(total).padStart(8)}  in all; limit ${LIMIT}, goal ${GOAL}`);
if (total > LIMIT) {
  console.error(`the demo is ${total - LIMIT} bytes above its limit`);
  process.exit(1);
}
