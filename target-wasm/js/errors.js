// Every error that this package throws: a class for what to do about it, a
// stable `code` for which one it is, and fields that say where and which limit.

/** The base class. `code` is stable; the message is for people. */
export class IndelibleError extends Error {
  constructor(code, message, details = {}) {
    const { cause, ...fields } = details;
    super(message, cause === undefined ? undefined : { cause });
    Object.assign(this, fields);
    this.code = code;
  }
  get name() {
    return this.constructor.title;
  }
  static title = "IndelibleError";
}

/** Something is full: delete, advance a log's head, or make the store larger. */
export class FullError extends IndelibleError {
  static title = "FullError";
}

/** Bytes on the medium are damaged, or are no store of this version. */
export class DamageError extends IndelibleError {
  static title = "DamageError";
}

/** The browser's storage failed, is missing, or is in use elsewhere. */
export class MediumError extends IndelibleError {
  static title = "MediumError";
}

/** The call broke a limit or a rule. */
export class UsageError extends IndelibleError {
  static title = "UsageError";
}

/** A transaction was given up, or what became of a call cannot be known. */
export class InterruptedError extends IndelibleError {
  static title = "InterruptedError";
}

const classes = [
  [FullError, "full log_full index_full quota memory"],
  [DamageError, "corrupt doubtful version_unsupported not_a_store ledger_lost medium_too_small id_mismatch data_lost"],
  [MediumError, "medium poisoned read_only locked unavailable"],
  [InterruptedError, "closed terminated worker unresponsive transaction_lost transaction_timeout"],
];

/** The error of `code`, of the class that it belongs to. */
export function fault(code, message, details) {
  const found = classes.find(([, codes]) => codes.split(" ").includes(code));
  return new (found ? found[0] : UsageError)(code, message, details);
}

/** `error` as plain data, for a message to another thread. */
export function pack(error) {
  const { code = "internal", message = String(error), cause, ...fields } = error;
  if (cause !== undefined) fields.cause = `${cause.name ?? "Error"}: ${cause.message ?? cause}`;
  return [code, error.message ?? message, fields];
}

/** The error that `pack` made data of. */
export function unpack([code, message, fields]) {
  return fault(code, message, fields);
}
