/** The little that the page needs of a framework. */

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

/** An element with properties, listeners (`onclick`), attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || (value === false && !key.startsWith("aria-"))) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value as EventListener);
    else if (key === "class") element.className = String(value);
    // Not as an attribute, which a strict policy forbids.
    else if (key === "style") element.style.cssText = String(value);
    else element.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : String(value));
  }
  element.append(...kept(children));
  return element;
}

function kept(children: Child[]): (Node | string)[] {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : (child as Node | string)));
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: Child[]) {
  element.replaceChildren(...kept(children));
}

/** The element with an id, which the page has. */
export function at<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element ${id}`);
  return element as T;
}

/** A number with thin spaces. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** `1 key`, `2 keys`. */
export function many(value: number, one: string, more = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}

/** Bytes as people read them. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1 << 20) return `${+(value / 1024).toFixed(1)} KiB`;
  return `${+(value / (1 << 20)).toFixed(1)} MiB`;
}

/** 2 to a power, in full where it can be read. */
export function power(log2: number): string {
  return log2 < 20 ? count(2 ** log2) : `2${[...log2.toFixed(0)].map((digit) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[Number(digit)]).join("")}`;
}

/** Whether the visitor wants things to stand still. */
export const still = matchMedia("(prefers-reduced-motion: reduce)");

/** A pressed state for one of several buttons. */
export function choose(buttons: Iterable<HTMLElement>, chosen: HTMLElement) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
}

/** Says that something failed, where the visitor looks. */
export function failed(element: Element, error: unknown) {
  const text = error instanceof Error ? error.message : String(error);
  fill(element, h("p", { class: "failed", role: "alert" }, text));
}
