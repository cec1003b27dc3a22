// Boxes in fractions of an image: drawn, taken hold of, moved.
import type { Box } from "./api";

export type Point = [number, number];

export const STEP = 0.01; // of the image, by which a key moves a box

/** What of a box is held: its first side (-1), its second (1) or none along each axis; with none, all of it. */
export interface Hold {
  x: -1 | 0 | 1;
  y: -1 | 0 | 1;
}

const cut = (value: number, least = 0) => Math.min(Math.max(value, least), 1);

function sides(box: Box): { x: Point; y: Point } {
  return {
    x: [box.x_center - box.width / 2, box.x_center + box.width / 2],
    y: [box.y_center - box.height / 2, box.y_center + box.height / 2],
  };
}

export function between(one: Point, other: Point): Box {
  const [x0, x1] = [cut(Math.min(one[0], other[0])), cut(Math.max(one[0], other[0]))];
  const [y0, y1] = [cut(Math.min(one[1], other[1])), cut(Math.max(one[1], other[1]))];
  return { x_center: (x0 + x1) / 2, y_center: (y0 + y1) / 2, width: x1 - x0, height: y1 - y0 };
}

/** Where the middle of a side may lie, so that all of it is in the image. */
const within = (centre: number, side: number) => Math.min(Math.max(centre, side / 2), 1 - side / 2);

export function nudged(box: Box, [x, y]: Point, resize: boolean): Box {
  const [width, height] = resize ? [cut(box.width + x * STEP, STEP), cut(box.height + y * STEP, STEP)] : [box.width, box.height];
  const [dx, dy] = resize ? [0, 0] : [x * STEP, y * STEP];
  return { width, height, x_center: within(box.x_center + dx, width), y_center: within(box.y_center + dy, height) };
}

/** What of a box a point takes hold of, sides within a reach; null beside it. */
export function held(box: Box, point: Point, reach: Point): Hold | null {
  const own = sides(box);
  const along = (at: number, [low, high]: Point, near: number): Hold["x"] | null => {
    if (at < low - near || at > high + near) return null;
    if (Math.min(at - low, high - at) > near) return 0;
    return at - low < high - at ? -1 : 1;
  };
  const [x, y] = [along(point[0], own.x, reach[0]), along(point[1], own.y, reach[1])];
  return x === null || y === null ? null : { x, y };
}

/** A box after what is held of it went from one point to another. */
export function dragged(box: Box, hold: Hold, from: Point, to: Point): Box {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (!hold.x && !hold.y) {
    return { ...box, x_center: within(box.x_center + dx, box.width), y_center: within(box.y_center + dy, box.height) };
  }
  const { x, y } = sides(box);
  return between(
    [x[0] + (hold.x === -1 ? dx : 0), y[0] + (hold.y === -1 ? dy : 0)],
    [x[1] + (hold.x === 1 ? dx : 0), y[1] + (hold.y === 1 ? dy : 0)],
  );
}

/** The cursor that says what would be held. */
export function cursor(hold: Hold | null): string {
  if (!hold) return "";
  if (!hold.x && !hold.y) return "move";
  if (!hold.x) return "ns-resize";
  if (!hold.y) return "ew-resize";
  return hold.x === hold.y ? "nwse-resize" : "nesw-resize";
}
