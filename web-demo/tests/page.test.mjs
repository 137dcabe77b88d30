// The page as a whole: for everyone, on every width, in both themes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { demo, part } from "./support/page.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PARTS = ["medium", "store", "crash", "damage", "image", "speed"];

for (const width of [1280, 390]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing, and nothing runs over: ${width} px, ${colorScheme}`, async () => {
      // The test's own script is not the page's.
      const site = await demo({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
      try {
        const page = await site.page();
        for (const id of PARTS) await part(page, id);
        await page.getByRole("button", { name: "Take a dump of a chip" }).click();
        await page.locator("#image-keys tbody tr").first().waitFor();
        await page.getByRole("button", { name: "Try every cut" }).click();
        await page.waitForSelector("#crash-result[data-done=true]", { timeout: 120_000 });
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run());
        const told = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
        assert.deepEqual(told, []);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
        assert.deepEqual(page.problems, []);
      } finally {
        await site.close();
      }
    });
  }
}

test("the colours can be switched, and stay switched", async () => {
  const site = await demo({ colorScheme: "light" });
  try {
    const page = await site.page();
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByRole("button", { name: "Switch to dark colours" }).click();
    const dark = await paper();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await paper(), dark);
    assert.deepEqual(page.problems, []);
  } finally {
    await site.close();
  }
});

test("everything can be reached by keyboard", async () => {
  const site = await demo();
  try {
    const page = await site.page();
    for (const id of PARTS) await part(page, id);
    await page.evaluate(() => scrollTo(0, 0));
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
    const seen = new Set();
    for (let i = 0; i < 120; i++) {
      await page.keyboard.press("Tab");
      seen.add(await page.evaluate(() => document.activeElement.closest("section")?.id ?? "bar"));
    }
    assert.deepEqual([...seen].sort(), ["bar", ...PARTS].sort());
  } finally {
    await site.close();
  }
});
