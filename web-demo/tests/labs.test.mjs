// The medium, the crash lab and the corruption lab: they work, and what they
// count adds up.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { data, demo, part } from "./support/page.mjs";

let site;
before(async () => (site = await demo()));
after(() => site?.close());

test("the medium is drawn, works, and survives its power cuts", async () => {
  const page = await site.page();
  const body = await part(page, "medium");
  const canvas = body.locator("canvas");
  const colours = () =>
    canvas.evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
  assert.ok((await colours()) > 20, "a picture has many colours");
  const figure = async (name) => body.locator("dl.figures div", { hasText: name }).locator("dd").textContent();
  const before = await canvas.evaluate((canvas) => canvas.toDataURL());
  await body.getByRole("button", { name: "One step" }).click();
  await page.waitForFunction((before) => document.querySelector("#medium-body canvas").toDataURL() !== before, before);
  for (let cut = 1; cut <= 25; cut++) {
    await body.getByRole("button", { name: "Pull the plug" }).click();
    await page.waitForFunction(
      (cut) => [...document.querySelectorAll("#medium-body dl.figures div")].some((row) => row.textContent.includes("power cuts") && row.querySelector("dd").textContent === String(cut)),
      cut,
    );
    assert.match(await body.getByRole("status").first().textContent(), /nothing acknowledged lost/);
  }
  assert.equal(await figure("power cuts"), "25");
  await body.getByRole("button", { name: "File" }).click();
  await page.waitForFunction(() => document.querySelector("#medium-body dl.figures dd")?.textContent.startsWith("7"));
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("a segment opens with the meaning of its bytes, by mouse, by key and from the table", async () => {
  const page = await site.page();
  const body = await part(page, "medium");
  const canvas = body.locator("canvas");
  await canvas.hover({ position: { x: 40, y: 30 } });
  await page.waitForFunction(() => /segment 0 .*byte/.test(document.querySelector("#medium-body .hint").textContent));
  await canvas.click({ position: { x: 40, y: 3 } });
  await body.locator(".hex").waitFor();
  assert.match(await body.locator(".meaning").textContent(), /^byte \d+: /);
  await canvas.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#medium-bytes h3")?.textContent.startsWith("Segment 2:"));
  await body.getByText("The same as a table").click();
  await body.getByRole("button", { name: "Open segment 3" }).click();
  await page.waitForFunction(() => document.querySelector("#medium-bytes h3")?.textContent.startsWith("Segment 3:"));
  assert.deepEqual(page.problems, []);
  await page.close();
});

for (const medium of ["File", "Flash chip"]) {
  test(`every stop of the crash lab recovers legally: ${medium}`, async () => {
    const page = await site.page();
    const body = await part(page, "crash");
    await body.getByRole("button", { name: medium }).click();
    const slider = body.locator("input[type=range]");
    await page.waitForFunction(() => document.querySelector("#crash-body .verdict"));
    const stops = Number(await slider.getAttribute("max"));
    assert.ok(stops > 10, `${stops} stops`);
    const verdicts = {};
    for (let stop = 0; stop <= stops; stop += Math.ceil(stops / 40)) {
      await slider.evaluate((slider, stop) => {
        document.querySelector("#crash-body .card").dataset.verdict = "";
        slider.value = stop;
        slider.dispatchEvent(new Event("input"));
      }, stop);
      await page.waitForFunction(() => document.querySelector("#crash-body .card").dataset.verdict);
      const { verdict } = await data(body.locator(".card").first());
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    }
    assert.equal(verdicts.illegal, undefined, JSON.stringify(verdicts));
    assert.ok(verdicts.before > 0 && verdicts.same > 0, JSON.stringify(verdicts));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test(`trying every cut counts no violation, and the counts add up: ${medium}`, async () => {
    const page = await site.page();
    const body = await part(page, "crash");
    await body.getByRole("button", { name: medium }).click();
    for (const name of ["Try every cut", "\u2026and cut each recovery too"]) {
      await body.getByRole("button", { name }).click();
      await page.waitForSelector("#crash-result[data-done=false]");
      await page.waitForSelector("#crash-result[data-done=true]", { timeout: 240_000 });
      const counted = await data(page.locator("#crash-result"));
      assert.equal(counted.violations, "0");
      assert.equal(counted.sum, counted.states);
      assert.ok(Number(counted.states) > Number(counted.cuts), JSON.stringify(counted));
      assert.ok(Number(counted.cuts) >= 10, JSON.stringify(counted));
    }
    assert.deepEqual(page.problems, []);
    await page.close();
  });
}

test("words that arrive are chosen one by one", async () => {
  const page = await site.page();
  const body = await part(page, "crash");
  await page.waitForFunction(() => document.querySelector("#crash-body .words button"));
  await body.getByRole("button", { name: "None" }).click();
  await page.waitForFunction(() => document.querySelector("#crash-body .card").dataset.verdict === "before");
  assert.equal(await body.locator(".words button[aria-pressed=true]").count(), 0);
  await body.locator(".words button").first().click();
  assert.equal(await body.locator(".words button[aria-pressed=true]").count(), 1);
  await body.getByRole("button", { name: "All arrive" }).click();
  await page.waitForFunction(() => document.querySelector("#crash-body .words button[aria-pressed=false]") === null);
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("a flipped bit is healed, harmless or named; a lost segment is named", async () => {
  const page = await site.page();
  const body = await part(page, "damage");
  const seen = {};
  for (const medium of ["Flash chip", "File"]) {
    await body.getByRole("button", { name: medium }).click();
    await body.locator(".hex").waitFor();
    for (const strike of ["Flip bit 3", "Flip bit 0", "Blank 8 bytes", "8 bytes of noise", "Lose the segment"]) {
      await page.evaluate(() => document.querySelector("#damage-body [data-verdict] .verdict")?.remove());
      await body.getByRole("button", { name: strike, exact: true }).click();
      await body.locator("[data-verdict] .verdict").waitFor();
      const { verdict } = await data(body.locator("[data-verdict]"));
      assert.ok(!["misjudged", "wrong"].includes(verdict), `${strike} on ${medium}: ${verdict}`);
      seen[verdict] = (seen[verdict] ?? 0) + 1;
    }
  }
  assert.ok(seen.healed >= 2, JSON.stringify(seen));
  assert.ok((seen.named ?? 0) + (seen.withheld ?? 0) >= 1, JSON.stringify(seen));
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("flipping every bit counts all of them and none wrong", async () => {
  const page = await site.page();
  const body = await part(page, "damage");
  await body.locator(".hex").waitFor();
  await body.getByRole("button", { name: "Flip every bit" }).click();
  await page.waitForSelector("#damage-result[data-done=false]");
  // The page answers meanwhile.
  const answered = await page.evaluate(() => new Promise((resolve) => {
    const since = performance.now();
    setTimeout(() => resolve(performance.now() - since), 0);
  }));
  assert.ok(answered < 500, `${answered} ms`);
  await page.waitForSelector("#damage-result[data-done=true]", { timeout: 540_000 });
  const counted = await data(page.locator("#damage-result"));
  assert.equal(counted.total, String(10 * 1024 * 8));
  assert.equal(counted.sum, counted.total);
  assert.equal(counted.wrong, "0");
  assert.deepEqual(page.problems, []);
  await page.close();
});
