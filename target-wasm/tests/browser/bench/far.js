// The least that a worker between costs: it sends back what it was sent, or puts
// it into IndexedDB first.
import { indexedDb } from "./indexeddb.js";

const database = indexedDb("far", "strict");

onmessage = async ({ data }) => {
  if (data.put !== undefined) await (await database).put(data.put);
  postMessage(data);
};
