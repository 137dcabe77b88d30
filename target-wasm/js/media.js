// Which medium a browser has, and opening it.
import { fault } from "./errors.js";
import { openIndexedDb } from "./medium-idb.js";
import { openMemory } from "./medium-memory.js";
import { openOpfs } from "./medium-opfs.js";

/** How long the file may still be held by a tab that was killed, in milliseconds. */
const STALE = 2_000;
const AGAIN = 50;

/** What each medium promises. */
export const durability = { opfs: "strict", indexeddb: "strict", file: "strict", memory: "none" };

/**
 * Opens the first medium that this browser has: `{ medium, kind }`. That one is
 * in use, full or broken is an error, and no reason to take the next.
 */
export async function openMedium(name, { size, acceptLoss, media = ["opfs", "indexeddb", "memory"] }) {
  for (const kind of media) {
    if (kind === "memory") return { kind, medium: openMemory(size) };
    if (kind === "opfs" && (await hasOpfs())) return { kind, medium: await patiently(() => openOpfs(name, { size })) };
    if (kind === "indexeddb" && (await hasIndexedDb())) {
      return { kind, medium: await openIndexedDb(name, { size, acceptLoss }) };
    }
  }
  throw fault("unavailable", `this browser has none of ${media.join(", ")}; a store needs a secure context (https or localhost)`);
}

/** Private windows of some browsers have the interface and refuse its use. */
async function hasOpfs() {
  if (!globalThis.FileSystemFileHandle?.prototype.createSyncAccessHandle) return false;
  return allows(() => navigator.storage.getDirectory());
}

async function hasIndexedDb() {
  if (!globalThis.indexedDB) return false;
  return allows(() => indexedDB.databases?.());
}

/** Any other failure is said by opening, which knows more. */
async function allows(use) {
  try {
    await use();
    return true;
  } catch ({ name }) {
    return name !== "SecurityError" && name !== "InvalidStateError";
  }
}

async function patiently(open) {
  const deadline = performance.now() + STALE;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const stale = (error.cause ?? error).name === "NoModificationAllowedError";
      if (!stale) throw translate(error);
      if (performance.now() > deadline) {
        throw fault("locked", "the store's file is in use by something that is not this package", { cause: error });
      }
      await new Promise((done) => setTimeout(done, AGAIN));
    }
  }
}

/** A browser's own error as one of this package. */
function translate(error) {
  if (error.code && typeof error.code === "string") return error;
  if (error.name === "QuotaExceededError") {
    return fault("quota", "the browser gives this site no more room", { cause: error });
  }
  return fault("medium", `the browser's storage failed: ${error.message}`, { cause: error });
}
