import { defineConfig } from "vite";

export default defineConfig({
  // Works from any folder of a server.
  base: "./",
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The wasm stays a file of its own, which a server compresses and caches.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { fs: { allow: [".."] } },
});
