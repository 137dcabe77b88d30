// The engine's errors by their numbers, as `src/codes.rs` gives them: the code,
// the words, and the fields that its figures are.
import { fault } from "./errors.js";

const items = ["value", "list element", "log", "metadata"];
const operations = ["reading", "writing", "erasing", "flushing"];
const damaged = (what, log) => (what === 2 ? `log ${log}` : items[what]);

const codes = [
  ,
  (operation, at) => ["medium", `${operations[operation]} failed at byte ${at}`, { operation: operations[operation], at }],
  () => ["poisoned", "an earlier write failed: open the store again"],
  () => ["read_only", "the store is open for reading only"],
  () => ["not_found", "not found"],
  () => ["key_empty", "a key has at least one byte"],
  (length, max) => ["key_too_long", `a key of ${length} bytes is longer than ${max}`, { length, max }],
  (length, max) => ["value_too_long", `a value of ${length} bytes is longer than ${max}`, { length, max }],
  (needed, available) => [
    "full",
    `the store is full: ${needed} bytes needed, ${available} available; delete something, or resize the store`,
    { needed, available },
  ],
  (needed, available, log) => [
    "log_full",
    `log ${log} is full: ${needed} bytes needed, ${available} available; advance its head`,
    { needed, available, log },
  ],
  (capacity) => ["index_full", `the index holds no more than ${capacity} entries`, { capacity }],
  (limit) => ["transaction_too_large", `the transaction has more than ${limit} changes`, { limit }],
  (head) => ["before_head", `the position is before the log's head ${head}`, { head }],
  (tail) => ["past_tail", `the position is past the log's tail ${tail}`, { tail }],
  (log, count) => ["invalid_log", `there is no log ${log}: the store has ${count}`, { log, count }],
  (at, what, log) => [
    "corrupt",
    `a ${damaged(what, log)} is damaged at byte ${at} of the image`,
    { at, item: items[what], ...(what === 2 && { log }) },
  ],
  (at) => ["doubtful", `damage at byte ${at} of the image may hide a newer version of this key`, { at }],
  (found, supported) => [
    "version_unsupported",
    `the image has format version ${found}, this build works with ${supported}`,
    { found, supported },
  ],
  () => ["not_a_store", "there is no store"],
  (at) => ["ledger_lost", `no readable ledger: the newest is damaged, at byte ${at}`, { at }],
  (needed, found) => ["medium_too_small", `the store has ${needed} bytes, the medium only ${found}`, { needed, found }],
  () => ["geometry", "the image is of another kind of medium: use a build for that"],
  (min, found) => ["geometry", `a store needs at least ${min} bytes here, not ${found}`, { min, found }],
  (min, found) => ["geometry", `segments of ${found} bytes are no multiple of 4096 from ${min} up`, { min, found }],
  () => ["geometry", "such a store cannot be made"],
  () => ["transaction_open", "a transaction is open"],
  () => ["sequence_exhausted", "the store's sequence numbers are used up: export what it holds to a new one"],
  () => ["memory", "there is not enough memory"],
  () => ["closed", "the store is closed"],
];

/** The error of a number and its figures. */
export function coded(number, figures, more) {
  const [code, message, fields] = codes[number](...figures);
  return fault(code, message, { ...fields, ...more });
}

/** What a finding of a check is about. */
export function finding(what, log, key, at, healed) {
  const item = items[what];
  const whose = key ? `a record of a key` : `${item === "log" ? `log ${log}` : `the store's ${item}`}`;
  return {
    code: healed ? "healed" : "damaged",
    item,
    ...(item === "log" && { log }),
    ...(key && { key }),
    at,
    message: `${whose} at byte ${at}: ${healed ? "one flipped bit, healed as it is read" : "damaged, and lost"}`,
  };
}
