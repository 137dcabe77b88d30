import { openSync } from "indelible-wasm/sync";

async function work(): Promise<void> {
  using store = await openSync("own");
  store.transaction(() => {
    store.set("a", "1");
    store.log(0).append("line");
  });
  postMessage([store.get("a"), store.log(0).read(0, 4, "text"), [...store.keys()]]);
}

void work();
