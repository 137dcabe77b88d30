// A medium in a file, for Node.
//
// Node has no lock on files: a second file beside the store's, linked exclusively,
// names the process that holds it. One left by a process that is gone is taken.
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fault } from "./errors.js";
import { openFile } from "./medium-file.js";

/** Opens the file of a store; a new one gets `size` bytes. */
export function openNode(path, { size }) {
  const release = lock(`${path}.lock`);
  let file;
  try {
    file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
    const medium = openFile(handle(file, release), size);
    if (medium.created) syncFolder(path);
    return medium;
  } catch (error) {
    if (file !== undefined) closeSync(file);
    release();
    throw error;
  }
}

/** A file as a browser's handle. */
function handle(file, release) {
  return {
    getSize: () => fstatSync(file).size,
    read: (bytes, { at }) => readSync(file, bytes, 0, bytes.length, at),
    write: (bytes, { at }) => writeSync(file, bytes, 0, bytes.length, at),
    truncate: (size) => ftruncateSync(file, size),
    flush: () => fdatasyncSync(file),
    close() {
      closeSync(file);
      release();
    },
  };
}

/** Makes the lock file, or throws who has it; what removes it. */
function lock(path) {
  const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(own, String(process.pid));
  try {
    if (!linked(own, path)) {
      giveWay(path, own);
      if (!linked(own, path)) throw locked(path);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return () => rmSync(path, { force: true });
}

/** Whether the lock was free: a link is made whole or not at all. */
function linked(own, path) {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Takes the lock of a process that is gone out of the way. */
function giveWay(path, own) {
  const owner = ownerOf(path);
  if (isAlive(owner)) throw locked(path, owner);
  const moved = `${own}.old`;
  renameSync(path, moved);
  // Somebody else may have been as quick.
  if (ownerOf(moved) === owner) return rmSync(moved);
  renameSync(moved, path);
  throw locked(path, ownerOf(path));
}

const ownerOf = (path) => Number(readFileSync(path, "utf8"));

const locked = (path, owner = ownerOf(path)) =>
  fault("locked", `process ${owner} has the store open (${path})`, { owner });

function isAlive(owner) {
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

/** Makes the new file's name durable, where folders can be synced. */
function syncFolder(path) {
  try {
    const folder = openSync(dirname(path), "r");
    fdatasyncSync(folder);
    closeSync(folder);
  } catch {
    // The store is durable when its name is: a system that cannot sync a folder keeps names by itself.
  }
}
