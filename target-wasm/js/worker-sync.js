// `openSync` in a dedicated worker: the store, without a worker between.
import { fault } from "./errors.js";
import { openStore } from "./open.js";
import { SyncStore } from "./sync.js";
import { scope } from "./tabs.js";

export * from "./errors.js";
export { SyncStore } from "./sync.js";

/** How long a tab that goes may still have the store, in milliseconds. */
const STALE = 2_000;

/**
 * Opens the store `name` for this worker alone. Calls are synchronous from then
 * on. OPFS and memory only: IndexedDB cannot be waited for.
 */
export async function openSync(name, { keys, values, media = ["opfs", "memory"], ...options } = {}) {
  if (!globalThis.navigator?.locks) throw fault("unavailable", "a store needs a secure context (https or localhost)");
  if (media.includes("indexeddb")) throw fault("type", "a synchronous store cannot be in IndexedDB");
  const release = await lock(name);
  try {
    const { engine, info } = await openStore(name, { ...options, media });
    return new SyncStore(engine, info, { keys, values }, release);
  } catch (error) {
    release();
    throw error;
  }
}

/** Takes the place of the leading tab, and tells tabs that ask. */
async function lock(name) {
  const release = await new Promise((taken, refused) => {
    navigator.locks
      .request(scope(name), { signal: AbortSignal.timeout(STALE) }, () => new Promise((done) => taken(done)))
      .catch((cause) => refused(fault("locked", "a tab or another worker has this store open", { cause })));
  });
  const channel = new BroadcastChannel(scope(name));
  channel.onmessage = ({ data: { hello } }) => hello && channel.postMessage({ to: hello, locked: true });
  return () => {
    channel.close();
    release();
  };
}
