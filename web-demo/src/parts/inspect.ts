/** A segment's bytes below a picture: shared by every part that has one. */
import { failed, fill, h } from "../dom";
import { hex } from "../hex";
import type { Lab } from "../lab/client";
import type { Field, Picture } from "../lab/types";
import { asTable, segmentText, type Spot } from "../picture";

/** Shows the bytes around a spot in `box`. */
export async function inspect(
  box: HTMLElement,
  lab: Lab,
  picture: Picture,
  spot: Spot,
  onbyte?: (offset: number) => void,
) {
  const segment = picture.segments[spot.segment];
  if (segment === undefined) return;
  try {
    const [bytes, fields] = await Promise.all([
      lab.call<Uint8Array>("bytes", spot.segment),
      lab.call<Field[]>("fields", spot.segment),
    ]);
    const shown = { number: spot.segment, segment, bytes, fields, offset: spot.offset };
    const title = segmentText(spot.segment, segment, picture.segmentSize);
    fill(box, h("h3", { class: "segment" }, title), hex(shown, onbyte));
  } catch (error) {
    failed(box, error);
  }
}

/** The picture as a table, made when it is asked for. */
export function tableOf(current: () => Picture | undefined, open: (spot: Spot) => void) {
  const details = h("details", {}, h("summary", {}, "The same as a table"));
  details.addEventListener("toggle", () => {
    const picture = current();
    while (details.childNodes.length > 1) details.lastChild?.remove();
    if (details.open && picture !== undefined) details.append(asTable(picture, open));
  });
  return details;
}
