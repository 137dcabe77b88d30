// IndexedDB without any library.
import { ROWS, key, value } from "./jobs.js";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export async function indexedDb(name, durability) {
  const request = indexedDB.open(`raw ${name} ${durability}`, 1);
  request.onupgradeneeded = () => request.result.createObjectStore("kv");
  const database = await done(request);
  const write = (puts) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction("kv", "readwrite", { durability });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      const store = transaction.objectStore("kv");
      for (const [k, v] of puts) store.put(v, k);
      transaction.commit();
    });
  return {
    put: (i, v = value()) => write([[key(i), v]]),
    many: (i) => write(Array.from({ length: ROWS }, (_, j) => [key(i + j), value()])),
    get: (i) => done(database.transaction("kv").objectStore("kv").get(key(i))),
  };
}
