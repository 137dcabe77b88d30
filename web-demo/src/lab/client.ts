/** The page's side of a laboratory worker. */
import type { Answer, Call } from "./worker";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  progress?: (value: unknown) => void;
}

/** A worker with one object of the laboratory. Calls are answered in order. */
export class Lab {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;

  private constructor() {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id);
      if (waiting === undefined) return;
      if ("progress" in data) return waiting.progress?.(data.progress);
      this.#waiting.delete(data.id);
      if ("error" in data) waiting.reject(new Error(data.error));
      else waiting.resolve(data.result);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(new Error(event.message || "the laboratory stopped"));
    };
  }

  /** Starts a worker and makes the object in it. */
  static async make(what: "Device" | "Device.image" | "Crash" | "Corruption", ...args: unknown[]) {
    const lab = new Lab();
    try {
      await lab.call(what, ...args);
      return lab;
    } catch (error) {
      lab.close();
      throw error;
    }
  }

  /** Makes another object in its place. */
  async remake(what: "Device" | "Device.image" | "Crash" | "Corruption", ...args: unknown[]) {
    await this.call(what, ...args);
  }

  call<T>(method: string, ...args: unknown[]): Promise<T> {
    return this.watch<T>(method, args);
  }

  /** A call that tells how far it is. */
  watch<T>(method: string, args: unknown[], progress?: (value: never) => void): Promise<T> {
    const call: Call = { id: this.#next++, method, args };
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(call.id, {
        resolve: resolve as (value: unknown) => void,
        reject,
        progress: progress as ((value: unknown) => void) | undefined,
      });
      this.#worker.postMessage(call);
    });
  }

  /** Ends the worker; what is not answered fails. */
  close(error = new Error("stopped")) {
    this.#worker.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
