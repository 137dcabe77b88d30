// The visitor's store: it survives reloads, and its worker's death.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { data, demo, part } from "./support/page.mjs";

let site;
before(async () => (site = await demo()));
after(() => site?.close());

async function ask(page, line) {
  const answers = page.locator("#store-body .console p.said, #store-body .console p.erred");
  const before = await answers.count();
  await page.getByLabel("Command").fill(line);
  await page.keyboard.press("Enter");
  await page.waitForFunction((before) => document.querySelectorAll("#store-body .console p.said, #store-body .console p.erred").length > before, before);
  return answers.last().textContent();
}

test("the console and the table show one store, which survives a reload", async () => {
  let page = await site.page();
  await part(page, "store");
  assert.match(await page.locator("#store-about").textContent(), /^Made just now, on the private file system/);
  assert.match(await ask(page, "set colour ultramarine"), /^ok/);
  assert.match(await ask(page, "get colour"), /^ultramarine/);
  assert.match(await ask(page, "get nothing"), /^no such key/);
  assert.match(await ask(page, "pay alice bob 30"), /^ok/);
  assert.match(await ask(page, "log"), /alice pays bob 30/);
  assert.match(await ask(page, "fill 300"), /^300 keys/);
  assert.match(await ask(page, "check"), /^sound/);
  assert.match(await ask(page, "frobnicate"), /^no command/);
  await page.locator("#store-table").getByText("ultramarine").waitFor();
  await page.getByLabel("Key", { exact: true }).fill("typed");
  await page.getByLabel("Value", { exact: true }).fill("into the form");
  await page.getByRole("button", { name: "Set" }).click();
  await page.getByLabel("Show keys that begin with").fill("ty");
  await page.locator("#store-table").getByText("into the form").waitFor();
  await page.reload();
  await part(page, "store");
  assert.match(await page.locator("#store-about").textContent(), /^Found again/);
  assert.match(await ask(page, "get colour"), /^ultramarine/);
  assert.match(await ask(page, "get alice"), /^70/);
  assert.match(await ask(page, "get typed"), /^into the form/);
  await page.getByLabel("Show keys that begin with").fill("typed");
  await page.getByRole("button", { name: "Delete typed" }).click();
  await page.getByRole("button", { name: "Delete typed" }).waitFor({ state: "detached" });
  assert.match(await ask(page, "get typed"), /^no such key/);
  assert.deepEqual(page.problems, []);
  await page.close();
  page = await site.page();
  await part(page, "store");
  assert.match(await ask(page, "get bob"), /^30/);
  await page.close();
});

test("what a killed worker acknowledged is recovered", async () => {
  const page = await site.page();
  const body = await part(page, "store");
  let all = 0;
  for (let kill = 1; kill <= 5; kill++) {
    await body.getByRole("button", { name: "Kill the worker mid-write" }).click();
    await page.waitForSelector(`#store-kills[data-kills="${kill}"]`);
    await page.waitForFunction(() => !document.querySelector("#store-body .plug").disabled);
    const counted = await data(page.locator("#store-kills"));
    assert.equal(counted.recovered, counted.acknowledged);
    assert.match(await page.locator("#store-kills .verdict").textContent(), /^acknowledged .*, recovered /);
    all += Number(counted.acknowledged);
  }
  assert.ok(all > 50, `${all} acknowledged in 5 kills`);
  assert.match(await ask(page, "get colour"), /^ultramarine/);
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("the picture follows the visitor's store", async () => {
  const page = await site.page();
  const body = await part(page, "medium");
  await body.getByRole("button", { name: "Your store" }).click();
  await page.waitForFunction(() => document.querySelector("#medium-body canvas").getAttribute("aria-label").includes("of 64 segments"));
  const before = await body.locator("canvas").evaluate((canvas) => canvas.toDataURL());
  await body.getByRole("button", { name: "One step" }).click();
  await page.waitForFunction((before) => document.querySelector("#medium-body canvas").toDataURL() !== before, before);
  await body.getByRole("button", { name: "Kill its worker" }).click();
  await body.getByText("Worker killed").waitFor();
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("the speed panel draws every contender", async () => {
  const page = await site.page();
  const body = await part(page, "speed");
  await body.getByRole("button", { name: "Measure" }).click();
  await page.waitForSelector("#speed-charts[data-done=true]");
  assert.equal(await body.locator("dl.chart").count(), 3);
  const figures = await body.locator("dl.chart dd").allTextContents();
  assert.equal(figures.length, 12);
  assert.ok(figures.every((figure) => /^[\d.]+$/.test(figure)), String(figures));
  assert.ok(Number(figures[0]) > 0, "a durable put takes time");
  assert.deepEqual(page.problems, []);
  await page.close();
});
