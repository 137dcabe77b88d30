/** Runs the laboratory beside the page: one object, whose methods are called by message. */
import init, { Corruption, Crash, Device } from "./pkg/indelible.js";

export interface Call {
  id: number;
  /** `new`, a static constructor, or a method of the object made last. */
  method: string;
  args: unknown[];
}

export type Answer =
  | { id: number; result: unknown }
  | { id: number; error: string }
  | { id: number; progress: unknown };

const ready = init({ module_or_path: new URL("./pkg/indelible.wasm", import.meta.url) });
let made: Record<string, (...args: unknown[]) => unknown> | undefined;

function make(method: string, args: unknown[]): unknown {
  switch (method) {
    case "Device":
      return new Device(args[0] as boolean, args[1] as number);
    case "Device.image":
      return Device.image(args[0] as Uint8Array);
    case "Crash":
      return new Crash(args[0] as number, args[1] as boolean);
    case "Corruption":
      return new Corruption(args[0] as boolean);
    default:
      return undefined;
  }
}

self.onmessage = async ({ data }: MessageEvent<Call>) => {
  const { id, method, args } = data;
  const answer = (message: Answer) => self.postMessage(message);
  try {
    await ready;
    const object = make(method, args);
    if (object !== undefined) {
      (made as { free?: () => void } | undefined)?.free?.();
      made = object as typeof made;
      return answer({ id, result: null });
    }
    if (made === undefined) throw new Error("nothing was made yet");
    const progress = (value: unknown) => answer({ id, progress: value });
    const given = method === "explore" ? [...args, progress] : args;
    answer({ id, result: made[method]!(...given) });
  } catch (error) {
    answer({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
