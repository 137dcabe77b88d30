// Opening a store over a medium of the browser, in a worker.
import { Store, loadEngine } from "./engine.js";
import { durability, openMedium } from "./media.js";
import { shape } from "./shape.js";

/** Lets go of an engine whose medium failed: it closes what it can. */
export async function giveUp(failed) {
  try {
    failed.close();
  } catch {
    // It was said before that it failed.
  }
  await failed.medium.close();
}

/** `{ engine, info, reopen }`: an open engine, what opening found, and how to do it once more. */
export async function openStore(name, { media, wasm, acceptLoss, ...wanted } = {}) {
  const { size, ...options } = shape(wanted);
  await loadEngine(wasm);
  const open = async (more, accepted) => {
    const { kind, medium } = await openMedium(name, { size, media, acceptLoss: accepted });
    try {
      const engine = Store.open(medium, { ...options, ...more });
      await medium.settle?.(); // Opening writes.
      return { kind, engine };
    } catch (error) {
      await medium.close();
      throw error;
    }
  };
  const { kind, engine } = await open({}, acceptLoss);
  return {
    engine,
    info: { name, medium: kind, durability: durability[kind], created: engine.created, report: engine.report },
    async reopen(failed, more) {
      if (failed) await giveUp(failed);
      return (await open(more)).engine;
    },
  };
}
