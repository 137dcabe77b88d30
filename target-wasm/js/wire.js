// How a page and its worker write what they say most often: as little as can be
// cloned, for cloning is most of what a call from the page costs.
//
//   [number, changes]            changes alone, and nothing else under way
//   [number, what, …]            one read alone
//   { id, m }                    any other message
//   number                       done, and nothing to say
//   [number, value]              the value of one read
//   { id, … }                    any other answer

/** A message, for the worker. */
export function written(id, message) {
  const { w, r, l, ...more } = message;
  for (const _ in more) return { id, m: message };
  if (w && !r && l) return [id, w];
  if (r?.length === 1 && !w) return [id, ...r[0]];
  return { id, m: message };
}

/** What the page wrote. */
export function read(data) {
  if (!Array.isArray(data)) return data;
  const [id, first, ...rest] = data;
  return { id, m: typeof first === "string" ? { r: [[first, ...rest]] } : { w: first, l: true } };
}

/** An answer, for the page. */
export function answered(id, answer) {
  const { w, r, ...more } = answer;
  for (const _ in more) return { id, ...answer };
  if (!w && !r) return id;
  if (!w && r.length === 1) return [id, r[0]];
  return { id, ...answer };
}

/** What the worker answered. */
export function heard(data) {
  if (typeof data === "number") return { id: data };
  if (Array.isArray(data)) return { id: data[0], r: [data[1]] };
  return data;
}
