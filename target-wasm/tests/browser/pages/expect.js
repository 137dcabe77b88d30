// The few assertions that tests inside a page need.

/** A value as text that tells apart what must be told apart. */
function show(value) {
  return JSON.stringify(value, (_, part) => {
    if (part === undefined) return "undefined!";
    if (part instanceof Uint8Array) return `bytes ${[...part]}`;
    return part;
  });
}

export function equal(found, expected, what = "") {
  if (show(found) !== show(expected)) throw new Error(`${what} found ${show(found)}, expected ${show(expected)}`);
}

/** Waits for a promise to fail with `code`; the error. */
export async function fails(promise, code, type) {
  try {
    await promise;
  } catch (error) {
    equal(error.code, code, error.message);
    if (type && !(error instanceof type)) throw new Error(`${error.name} is no ${type.title}`);
    return error;
  }
  throw new Error(`nothing failed; expected ${code}`);
}

export async function all(iterator) {
  const found = [];
  for await (const item of iterator) found.push(item);
  return found;
}
