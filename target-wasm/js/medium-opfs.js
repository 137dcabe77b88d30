// A medium in the browser's private file system: one file, held exclusively by
// one dedicated worker.
import { openFile } from "./medium-file.js";

/** The folder of the files, in the site's private file system. */
const FOLDER = "indelible";

/**
 * Opens the file of a store, in a dedicated worker; a new one gets `size` bytes.
 * Rejects with `NoModificationAllowedError` while somebody holds the file.
 */
export async function openOpfs(name, { size }) {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  const file = await folder.getFileHandle(encodeURIComponent(name), { create: true });
  const handle = await file.createSyncAccessHandle();
  try {
    return openFile(handle, size);
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** Removes the file of a store that nobody holds. */
export async function removeOpfs(name) {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  await folder.removeEntry(encodeURIComponent(name));
}
