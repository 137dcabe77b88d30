// What every subject is asked to do, on both sides of the worker.

/** Keys in use; keys of 9 bytes, values of 32. */
export const KEYS = 1000;
export const VALUE = 32;
export const ROWS = 100;

export const key = (i) => `key ${String(i % KEYS).padStart(5, "0")}`;

let turn = 0;
/** A value that is new each time. */
export const value = () => String(turn++).padStart(VALUE, "v");

/**
 * Runs `count` times `job` of `subject`; microseconds for each, or for each key
 * of jobs over many. Nothing where the subject does not do that.
 */
export async function measure(subject, job, count) {
  const run = subject[job];
  if (!run) return undefined;
  const begun = performance.now();
  for (let i = 0; i < count; i++) {
    const done = run((i * 7919) % KEYS);
    if (typeof done?.then === "function") await done; // A synchronous call is not made to wait.
  }
  const took = ((performance.now() - begun) * 1000) / count;
  return job === "many" ? took / ROWS : took;
}

/** Fills a subject, and sees that it gives back what it was given. */
export async function prepare(subject) {
  if (!subject.many) return;
  for (let i = 0; i < KEYS; i += ROWS) await subject.many(i);
  await subject.put(5, "x".repeat(VALUE));
  const found = await subject.get(5);
  if (found !== "x".repeat(VALUE)) throw new Error(`${subject.name} gave back ${found}`);
}
