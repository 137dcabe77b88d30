// A static server and a browser, for the tests of this folder and of web-demo.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
};

/** What every page is served with, unless a test says otherwise: the policy that README.md names. */
export const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";

/** The package as it is tested; `build` has made its dist. */
export const code = process.env.INDELIBLE_PACKAGE ?? fileURLToPath(new URL("../..", import.meta.url));

/** A site with the package at /js/, and a page that has it as globals. */
export function site(options = {}) {
  const pages = {
    "/": '<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
    "/page.js": 'import * as all from "/js/index.js"; Object.assign(window, all);',
    ...options.pages,
  };
  const headers = { "content-security-policy": `${policy}; img-src data:`, ...options.headers };
  return serve({ "/js/": join(code, "js"), "/dist/": join(code, "dist"), "/pages/": fileURLToPath(new URL("pages", import.meta.url)), ...options.folders }, { pages, headers });
}

/**
 * Serves folders, `{ "/": folder, "/prefix/": folder }`, on a free port of this
 * machine. `pages` are documents by path; `headers` go with every answer.
 */
export async function serve(folders, { pages = {}, headers = {} } = {}) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    let path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    try {
      if (path in pages) {
        const type = types[extname(path)] ?? types[".html"];
        response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers });
        return response.end(pages[path]);
      }
      const prefix = prefixes.find((prefix) => path.startsWith(prefix));
      if (path.endsWith("/")) path += "index.html";
      const inside = normalize(path.slice(prefix.length));
      if (inside.startsWith(`..${sep}`)) throw new Error("outside");
      const body = await readFile(join(folders[prefix], inside));
      const type = types[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers });
      response.end(body);
    } catch {
      response.writeHead(404, headers);
      response.end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts Chromium with a profile of its own. `profile` takes an old one up
 * again; `keep` leaves it behind.
 */
export async function browse({ profile, keep = false, ...options } = {}) {
  const folder = profile ?? (await mkdtemp(join(tmpdir(), "indelible-browser-")));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: executable,
    headless: true,
    chromiumSandbox: false,
    args: flags,
    ...options,
  });
  return {
    context,
    profile: folder,
    async close() {
      await context.close().catch(() => {});
      if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** Starts Chromium on an old or new profile so that `kill` ends all of it at once, as a power cut would. */
export async function browseToKill(profile) {
  const folder = profile ?? (await mkdtemp(join(tmpdir(), "indelible-browser-")));
  const child = spawn(
    executable,
    ["--headless", "--no-sandbox", "--remote-debugging-port=0", `--user-data-dir=${folder}`, ...flags, "about:blank"],
    { detached: true, stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = new Promise((done) => child.once("exit", done));
  const address = await new Promise((found, failed) => {
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
      const [, url] = said.match(/DevTools listening on (\S+)/) ?? [];
      if (url) found(url);
    });
    exited.then(() => failed(new Error(`chromium: ${said}`)));
  });
  const browser = await chromium.connectOverCDP(address);
  return {
    context: browser.contexts()[0],
    profile: folder,
    async kill() {
      process.kill(-child.pid, "SIGKILL");
      await exited;
      await browser.close().catch(() => {});
    },
  };
}

/** A tab at `url` that fails the test through `problems` if anything reaches the console as an error. */
export async function tab(context, url) {
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") page.problems.push(message.text());
  });
  await page.goto(url);
  await page.waitForFunction(() => window.Indelible !== undefined || !document.querySelector('script[src="/page.js"]'));
  return page;
}
