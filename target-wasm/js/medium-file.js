// A store's file behind a synchronous handle, of a browser or of Node:
// `{ getSize(), read(bytes, { at }), write(bytes, { at }), truncate(size),
// flush(), close() }`.
//
// The file is as long as the store, whole blocks. One that was not made to its
// end is a byte longer than whole blocks, and is made again: nobody has been
// given it. While its content is exchanged as a whole it is longer than the
// store: behind that stands what is to come, and at the very end, once that is
// durable, a note that says so. An opening that finds the note finishes the
// exchange; without it what is behind the store means nothing.
import { fault } from "./errors.js";

const MAGIC = 0x4e4c4469; // "iDLN"
const NOTE = 32;
const BLOCK = 4096;

/** Opens the store's file on a handle; one that is empty gets `size` bytes. */
export function openFile(handle, size) {
  return new FileMedium(handle, size);
}

class FileMedium {
  #handle;
  /** Why the file is not what the store believes any more. */
  #broken;

  constructor(handle, size) {
    this.#handle = handle;
    this.created = false;
    this.size = this.#settle(size);
  }

  read(at, bytes) {
    whole("read", this.#handle, at, bytes);
  }

  write(at, bytes) {
    if (this.#broken) throw this.#broken;
    try {
      whole("write", this.#handle, at, bytes);
    } catch (error) {
      throw translate(error);
    }
  }

  flush() {
    if (this.#broken) throw this.#broken;
    this.#handle.flush();
  }

  close() {
    this.#handle.close();
  }

  /** Exchanges the content: `size` bytes, and in them `runs` of `[at, bytes]` over what is there. */
  replace(size, runs) {
    try {
      if (this.created) this.#fill(size, runs);
      else this.#exchange(size, runs);
    } catch (error) {
      throw translate(error);
    }
  }

  /** Makes the file: it gets its length when everything in it is durable. */
  #fill(size, runs) {
    for (const [at, bytes] of runs) whole("write", this.#handle, at, bytes);
    this.#handle.flush();
    this.#cut(size);
    this.created = false;
  }

  #exchange(size, runs) {
    const handle = this.#handle;
    const base = round(Math.max(size, this.size));
    const end = base + runs.reduce((sum, [, bytes]) => sum + 16 + bytes.length, 0);
    const note = round(end + NOTE) - NOTE;
    try {
      handle.truncate(note + NOTE);
      let to = base;
      for (const [at, bytes] of runs) {
        whole("write", handle, to, words([at, bytes.length]));
        whole("write", handle, to + 16, bytes);
        to += 16 + bytes.length;
      }
      handle.flush();
    } catch (error) {
      this.#cut(this.size);
      throw error;
    }
    try {
      whole("write", handle, note, words([MAGIC, size, base, end]));
      handle.flush();
      this.#redo(size, base, end, note);
    } catch (error) {
      // From here on the next opening decides what the content is.
      this.#broken = fault("poisoned", "exchanging the store's content failed: open it again", { cause: error });
      throw this.#broken;
    }
  }

  /** Finishes what an exchange began, or begins to make the file; its size. */
  #settle(wanted) {
    const handle = this.#handle;
    const found = handle.getSize();
    if (found === 0 || found % BLOCK === 1) {
      this.created = true;
      return this.#make(round(wanted));
    }
    const [magic, size, base, end] = found > BLOCK ? read(handle, found - NOTE, NOTE) : [];
    if (magic === MAGIC && end <= found - NOTE && base <= end && size <= base) {
      this.#redo(size, base, end, found - NOTE);
      return size;
    }
    return found;
  }

  /** A blank file but for its last byte. It is written, so that no commit waits for the system to find room for it. */
  #make(size) {
    const handle = this.#handle;
    const length = size - BLOCK + 1;
    try {
      handle.truncate(0);
      handle.truncate(length);
      const blank = new Uint8Array(Math.min(length, 1 << 20));
      for (let at = 0; at < length; at += blank.length) whole("write", handle, at, blank.subarray(0, length - at));
    } catch (error) {
      throw translate(error);
    }
    return size;
  }

  /** Copies the runs to their places. May be cut anywhere, and be done again. */
  #redo(size, base, end, note) {
    const handle = this.#handle;
    for (let from = base; from < end; ) {
      const [at, length] = read(handle, from, 16);
      from += 16;
      for (let done = 0; done < length; ) {
        const part = new Uint8Array(Math.min(length - done, 1 << 20));
        whole("read", handle, from + done, part);
        whole("write", handle, at + done, part);
        done += part.length;
      }
      from += length;
    }
    handle.flush();
    // First the note goes, then what it is about.
    whole("write", handle, note, new Uint8Array(NOTE));
    handle.flush();
    this.#cut(size);
  }

  #cut(size) {
    this.#handle.truncate(size);
    this.#handle.flush();
    this.size = size;
  }

  /** The store is shorter than the file. */
  trim(size) {
    if (size < this.size) this.#cut(size);
  }
}

const round = (size) => Math.ceil(size / BLOCK) * BLOCK;

/** Reads or writes all of `bytes`: the rest again where it was short, once without progress is a failure. */
function whole(operation, handle, at, bytes) {
  for (let done = 0; done < bytes.length; ) {
    const count = handle[operation](done ? bytes.subarray(done) : bytes, { at: at + done });
    if (!count) throw fault("medium", `${operation}ing ended after ${done} of ${bytes.length} bytes at ${at}`, { at });
    done += count;
  }
}

/** Numbers as 8 bytes each. */
function words(numbers) {
  return new Uint8Array(new Float64Array(numbers).buffer);
}

function read(handle, at, length) {
  const bytes = new Uint8Array(length);
  whole("read", handle, at, bytes);
  return new Float64Array(bytes.buffer);
}

function translate(error) {
  if (error.name === "QuotaExceededError" || error.code === "ENOSPC") {
    return fault("quota", "there is no room for the store's file", { cause: error });
  }
  return error;
}
