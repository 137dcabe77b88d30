// What the types promise, and what they refuse. Compiled, never run.
import { Indelible, type Store, type Transaction } from "indelible-wasm";
import { openSync } from "indelible-wasm/sync";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export async function promised(): Promise<void> {
  const text = await Indelible.open("a");
  const bytes = await Indelible.open("b", { keys: "bytes", values: "bytes", logs: [1024], size: 1 << 20, media: ["opfs"] });
  const a = await text.get("k");
  same<typeof a, string | undefined>(true);
  const b = await bytes.get(new Uint8Array(1));
  same<typeof b, Uint8Array | undefined>(true);
  const c = await text.get("k", "bytes");
  same<typeof c, Uint8Array | undefined>(true);
  for await (const entry of bytes.entries({ values: "text" })) same<typeof entry, [Uint8Array, string]>(true);
  for await (const key of text.keys({ gte: "a", lt: new Uint8Array(2), reverse: true, limit: 3 })) same<typeof key, string>(true);
  for await (const entry of text) same<typeof entry, [string, string]>(true);
  const result = await text.transaction(async (tx: Transaction) => {
    await tx.log(0).append("x");
    return 7;
  });
  same<typeof result, number>(true);
  same<typeof text.durability, "strict" | "none">(true);
  const at: number = await text.log(0).append("x");
  const read: Uint8Array = await text.log(0).read(at, 1);
  const line: string = await text.log(0).read(at, 1, "text");
  await text.import(await text.export());
  await text.import(new Blob([]));
  await using sync: AsyncDisposable = text;
  using own = await openSync("c", { values: "bytes" });
  const d = own.get("k");
  same<typeof d, Uint8Array | undefined>(true);
  void [read, line, sync];
}

export async function refused(store: Store): Promise<void> {
  // @ts-expect-error: a value is text or bytes
  await store.set("a", 1);
  // @ts-expect-error: no such encoding
  await store.get("a", "json");
  // @ts-expect-error: no such medium
  await Indelible.open("a", { media: ["localStorage"] });
  // @ts-expect-error: stores come from open
  new Store();
  // @ts-expect-error: synchronous stores have no worker
  await openSync("a", { worker: () => new Worker("x") });
}
