/** Entries that one message brings when a range is walked. */
const PAGE = 256;

/** Walks a range a page at a time. */
export async function* walk(read, wanted, values, shape) {
  let left = wanted.limit;
  for (let from = wanted; left > 0; ) {
    const page = await read({ ...from, values, limit: Math.min(left, PAGE) });
    for (let i = 0; i < page.keys.length; i++) yield shape(page.keys[i], page.values?.[i]);
    left -= page.keys.length;
    const last = page.keys.at(-1);
    if (page.done || !last) return;
    from = wanted.reverse ? { ...wanted, lte: undefined, lt: last } : { ...wanted, gte: undefined, gt: last };
  }
}
