/** The page: its parts, each of which works by itself. */
import { at, failed } from "./dom";
import { crash } from "./parts/crash";
import { damage } from "./parts/damage";
import { image } from "./parts/image";
import { medium } from "./parts/medium";
import { speed } from "./parts/speed";
import { store } from "./parts/store";

/** Starts a part when it comes near, so that the first one is quick. */
function near(id: string, start: () => Promise<void> | void) {
  const body = at(`${id}-body`);
  const run = async () => {
    try {
      await start();
      body.dataset["ready"] = "true";
    } catch (error) {
      failed(body, error);
    }
  };
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      void run();
    },
    { rootMargin: "600px" },
  );
  watch.observe(body);
}

function theme() {
  const button = at("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset["theme"] ?? (system.matches ? "dark" : "light")) === "dark";
  const tell = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // A browser that keeps nothing: until the next visit, then.
    }
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}

theme();
near("medium", medium);
near("store", store);
near("crash", crash);
near("damage", damage);
near("image", image);
near("speed", speed);
