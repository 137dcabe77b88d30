// The demo as it was built, in a browser.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { browse, policy, serve } from "../../../target-wasm/tests/browser/harness.mjs";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));

/** Serves the demo and starts a browser; `page` opens it in a tab. */
export async function demo(options = {}) {
  if (!existsSync(dist)) throw new Error("the demo is not built; run: web-demo/build");
  // The policy of the package is enough for the demo.
  const site = await serve({ "/": dist }, { headers: { "content-security-policy": policy } });
  const browser = await browse({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  return {
    context: browser.context,
    url: site.url,
    async page() {
      const page = await browser.context.newPage();
      page.setDefaultTimeout(60_000);
      page.problems = [];
      page.on("pageerror", (error) => page.problems.push(String(error)));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) page.problems.push(message.text());
      });
      await page.goto(`${site.url}/`);
      return page;
    },
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/** Scrolls to a part and waits until it has begun. */
export async function part(page, id) {
  await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await page.waitForSelector(`#${id}-body[data-ready]`);
  return page.locator(`#${id}-body`);
}

/** What an element says of itself in its data. */
export const data = (locator) => locator.evaluate((element) => ({ ...element.dataset }));
