import { dirname, relative, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const LAB = resolve(import.meta.dirname, "src/lab/pkg");

/** The package takes its engine from the laboratory's module, which has it too: one download. */
function oneModule(): Plugin {
  return {
    name: "one-module",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/target-wasm/js/engine.js")) return undefined;
      const whole = code.replaceAll('"../dist/indelible.', `"${relative(dirname(id), LAB)}/indelible.`);
      if (whole === code) throw new Error("the package's engine comes from somewhere else than ../dist/indelible");
      return { code: whole, map: null };
    },
  };
}

export default defineConfig({
  plugins: [oneModule()],
  // Works from any folder of a server.
  base: "./",
  worker: { format: "es", plugins: () => [oneModule()] },
  build: {
    target: "es2022",
    // The wasm stays a file of its own, which a server compresses and caches.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { fs: { allow: [".."] } },
});
