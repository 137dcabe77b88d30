/** The visitor's store: one for the whole page, over the package itself. */
import { Indelible, type Store } from "indelible-wasm";

const NAME = "demo";
/** Small, so that its picture shows bytes. */
const OPTIONS = { size: 256 * 1024, segmentSize: 4096, logs: [16 * 1024] };

/** Says `changed` whenever something was written. */
export const changes = new EventTarget();

export function changed() {
  changes.dispatchEvent(new Event("changed"));
}

let opening: Promise<Store> | undefined;

/** The open store; opens it where it is not. */
export function mine(): Promise<Store> {
  opening ??= open();
  return opening;
}

async function open() {
  try {
    const store = await Indelible.open(NAME, OPTIONS);
    if (store.created) {
      await store.transaction(async (tx) => {
        await tx.set("hello", "this was here before you reloaded");
        await tx.set("try", "kill the worker while it writes");
        await tx.log(0).append("the store was made\n");
      });
    }
    return store;
  } catch (error) {
    opening = undefined;
    throw error;
  }
}

/** Kills the worker at once, whatever it is doing. */
export async function kill() {
  const store = await mine();
  opening = undefined;
  store.terminate();
}
