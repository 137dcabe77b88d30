// What a fresh project does with the package: in the page, and in a worker of its own.
import { FullError, Indelible, IndelibleError, type Store } from "indelible-wasm";

declare global {
  interface Window {
    outcome?: unknown;
  }
}

async function page(): Promise<[string, string | undefined, number]> {
  await using store: Store = await Indelible.open("project");
  await store.set("from", "vite");
  await store.transaction(async (tx) => {
    await tx.set("count", String(Number((await tx.get("count")) ?? 0) + 1));
  });
  let keys = 0;
  for await (const [key, value] of store.entries({ prefix: "" })) {
    keys += key.length > 0 && value.length > 0 ? 1 : 0;
  }
  return [`${store.medium} ${store.durability}`, await store.get("from"), keys];
}

function worker(): Promise<unknown> {
  const worker = new Worker(new URL("./own.worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
  });
}

try {
  window.outcome = { page: await page(), worker: await worker() };
} catch (error) {
  const code = error instanceof IndelibleError ? error.code : undefined;
  window.outcome = { error: String(error), code, full: error instanceof FullError };
}
