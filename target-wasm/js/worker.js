// The worker behind a page's store.
import { pack } from "./errors.js";
import { openStore } from "./open.js";
import { Tabs } from "./tabs.js";
import { answered, read } from "./wire.js";

let tabs;

const acts = {
  async open({ name, options }) {
    tabs = new Tabs(name, () => openStore(name, options));
    return { info: await tabs.start() };
  },
  pause: () => tabs?.pause(),
  resume: () => tabs?.resume(),
  close: () => tabs.close(),
};

self.onmessage = async ({ data }) => {
  const { id, m, act, ...rest } = read(data);
  let answer;
  try {
    answer = m ? await tabs.submit(m) : await acts[act](rest);
  } catch (error) {
    answer = { e: pack(error) };
  }
  self.postMessage(answered(id, answer ?? {}));
};
