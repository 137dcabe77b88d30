// Strings and bytes, key ranges, and calls packed for the engine.
import { fault } from "./errors.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a string or of any view of bytes. */
export function bytes(data, what) {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw fault("type", `${what} must be a string or bytes, not ${data === null ? "null" : typeof data}`);
}

/** Where the engine notes what was applied for other tabs. No text is these bytes. */
export const LEDGER = new Uint8Array([0xff, 0x74]);

/** Strings stay strings: they are encoded in place. */
export const data = (value, what) => (typeof value === "string" ? value : bytes(value, what));

/** A caller's key, as `data`. */
export function key(value) {
  if (typeof value === "string") return value;
  const key = bytes(value, "a key");
  if (compare(key, LEDGER) === 0) throw fault("key_reserved", "the key of the bytes ff 74 is the store's own");
  return key;
}

/** Up to this many bytes the decoder's call costs more than what it does. */
const SHORT = 96;

/** The text of some of the bytes. */
export function text(data, from = 0, to = data.length) {
  return (to - from <= SHORT && ascii(data, from, to)) || utf8(data.subarray(from, to));
}

/** Short ASCII, eight characters at a time; nothing where there is more to it. */
function ascii(data, from, to) {
  let text = "";
  for (; from + 8 <= to; from += 8) {
    const a = data[from];
    const b = data[from + 1];
    const c = data[from + 2];
    const d = data[from + 3];
    const e = data[from + 4];
    const f = data[from + 5];
    const g = data[from + 6];
    const h = data[from + 7];
    if ((a | b | c | d | e | f | g | h) > 127) return "";
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; from < to; from++) {
    if (data[from] > 127) return "";
    text += String.fromCharCode(data[from]);
  }
  return text;
}

function utf8(data) {
  try {
    return decoder.decode(data);
  } catch (cause) {
    throw fault("not_text", 'the bytes are no UTF-8 text: ask for "bytes"', { cause });
  }
}

/** What a caller gets: the bytes, or the text that they are. */
export const decode = (data, as) => (as === "bytes" || data === undefined ? data : text(data));

/** Says whether `as` is one of the two encodings. */
export function encoding(as, otherwise) {
  if (as === undefined) return otherwise;
  if (as !== "text" && as !== "bytes") throw fault("type", `an encoding is "text" or "bytes", not ${as}`);
  return as;
}

/** A whole number from 0, exact in a double. */
export function whole(number, what) {
  if (!Number.isSafeInteger(number) || number < 0) throw fault("type", `${what} must be a whole number from 0`);
  return number;
}

/** A caller's range, with bytes for keys. */
export function range({ gte, gt, lt, lte, prefix, reverse = false, limit = Infinity } = {}) {
  const bound = (key) => (key === undefined ? undefined : bytes(key, "a bound"));
  if (limit !== Infinity) whole(limit, "limit");
  return { gte: bound(gte), gt: bound(gt), lt: bound(lt), lte: bound(lte), prefix: bound(prefix), reverse, limit };
}

/** Order of keys, as the store has it: byte by byte. */
export function compare(a, b) {
  const both = Math.min(a.length, b.length);
  for (let i = 0; i < both; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** Whether `key` is in a range. */
export function within(key, { gte, gt, lt, lte, prefix }) {
  return (
    !(gte && compare(key, gte) < 0) &&
    !(gt && compare(key, gt) <= 0) &&
    !(lt && compare(key, lt) >= 0) &&
    !(lte && compare(key, lte) > 0) &&
    !(prefix && compare(key.subarray(0, prefix.length), prefix) !== 0)
  );
}

export const SET = 1;
export const DELETE = 2;
export const CLEAR = 3;
export const APPEND = 4;
export const HEAD = 5;

/**
 * Changes back to back, as the engine takes them: kind, 0, a 16-bit number (the
 * key's length, or the log), the length of the value, then key and value. All
 * little-endian.
 */
export class Ops {
  #buffer = new Uint8Array(1024);
  #end = 0;
  count = 0;

  #room(more) {
    const needed = this.#end + more;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }

  /** Puts bytes, or a string's, at `at`; where they end. */
  #put(at, data) {
    const buffer = this.#buffer;
    if (typeof data !== "string") {
      buffer.set(data, at);
      return at + data.length;
    }
    let i = 0;
    if (data.length <= SHORT) {
      for (; i < data.length; i++) {
        const unit = data.charCodeAt(i);
        if (unit > 127) break;
        buffer[at + i] = unit;
      }
    }
    if (i === data.length) return at + i;
    return at + encoder.encodeInto(data, buffer.subarray(at)).written;
  }

  push(kind, key, value, log = 0) {
    // Three bytes a code unit is the most that UTF-8 takes.
    this.#room(8 + 3 * (key.length + value.length));
    const at = this.#end;
    const middle = this.#put(at + 8, key);
    const end = this.#put(middle, value);
    const length = middle - at - 8;
    if (log > 0xffff) throw fault("invalid_log", `no log ${log}`, { log });
    if (length > 0xffff) {
      throw fault("key_too_long", `a key of ${length} bytes is longer than ${0xffff}`, { length, max: 0xffff });
    }
    const buffer = this.#buffer;
    const [a, b] = [log || length, end - middle];
    buffer[at] = kind;
    buffer[at + 1] = 0;
    buffer[at + 2] = a;
    buffer[at + 3] = a >> 8;
    buffer[at + 4] = b;
    buffer[at + 5] = b >> 8;
    buffer[at + 6] = b >> 16;
    buffer[at + 7] = b >> 24;
    this.#end = end;
    this.count++;
  }

  /** What was packed, in a buffer of its own; then it is empty again. */
  take() {
    const packed = this.#buffer.slice(0, this.#end);
    this.#end = this.count = 0;
    return packed;
  }
}

/** A position in a log as 8 bytes. */
export function position(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(whole(number, "a position")), true);
  return data;
}
