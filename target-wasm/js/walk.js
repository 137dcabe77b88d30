/** Entries that are fetched at once when a range is walked. */
const PAGE = 256;

/** Walks a range a page at a time: yields what to read, and is given the page. */
export function* pages(wanted, values) {
  let left = wanted.limit;
  for (let from = wanted; left > 0; ) {
    const page = yield { ...from, values, limit: Math.min(left, PAGE) };
    left -= page.keys.length;
    const last = page.keys.at(-1);
    if (page.done || !last) return;
    from = wanted.reverse ? { ...wanted, lte: undefined, lt: last } : { ...wanted, gte: undefined, gt: last };
  }
}

/** Every entry of a range that `read` reads from elsewhere. */
export async function* walk(read, wanted, values, shape) {
  const asked = pages(wanted, values);
  for (let ask = asked.next(); !ask.done; ) {
    const page = await read(ask.value);
    for (let i = 0; i < page.keys.length; i++) yield shape(page.keys[i], page.values[i]);
    ask = asked.next(page);
  }
}
