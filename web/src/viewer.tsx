import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { between, cursor, dragged, held, nudged, STEP, type Hold, type Point } from "./boxes";
import { mapAddress, sliceAddress, type Box, type Case } from "./api";
import { Curve } from "./curve";
import { nameOf } from "./worklist";

interface Properties {
  of: Case;
  slice: number;
  onSlice: (number: number) => void;
  shown: boolean;
  methods: string[];
  healthy: string | null;
  localises: boolean;
  blind: boolean;
  box: Box | null; // the reader's, on this slice
  onBox: (box: Box | null) => void;
}

interface View {
  zoom: number;
  x: number; // of the image's centre, in its own widths from the middle of the canvas
  y: number;
  level: number; // the grey in the middle of the window
  window: number; // how many greys lie between black and white
}

interface Drag {
  x: number;
  y: number;
  view: View;
  from: Point; // in the image
  box: Box | null; // as it has become
  hold: Hold | null; // of the box that was there
}

const PLAIN: View = { zoom: 1, x: 0, y: 0, level: 127.5, window: 255 };
const MODEL = "#00b7ff";
const READER = "#ff9f1c";
const REACH = 8; // pixels within which a side of a box is taken hold of

/** The slices of a case: window and level by dragging, zoom, pan, a map over it, a box to draw. */
export function Viewer(props: Properties) {
  const { of, slice, onSlice, shown, box, onBox } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState(PLAIN);
  const [picture, setPicture] = useState<ImageData | null>(null);
  const [map, setMap] = useState<ImageBitmap | null>(null);
  const [method, setMethod] = useState("");
  const [overlay, setOverlay] = useState(false);
  const [opacity, setOpacity] = useState(0.5);
  const [drawing, setDrawing] = useState(false);
  const [draft, setDraft] = useState<Box | null>(null);
  const [trouble, setTrouble] = useState("");
  const drag = useRef<Drag | null>(null);

  useEffect(() => setView(PLAIN), [of.id]);
  useEffect(() => {
    let still = true;
    setTrouble("");
    fetched(sliceAddress(of.id, slice))
      .then((bitmap) => still && setPicture(levels(bitmap)))
      .catch((error: Error) => {
        setPicture(null);
        setTrouble(error.message);
      });
    return () => {
      still = false;
    };
  }, [of.id, slice]);
  useEffect(() => {
    let still = true;
    setMap(null);
    if (!overlay || !shown) return;
    fetched(mapAddress(of.id, slice, method))
      .then((bitmap) => still && setMap(bitmap))
      .catch((error: Error) => still && setTrouble(error.message));
    return () => {
      still = false;
    };
  }, [of.id, slice, overlay, method, shown]);

  const answer = of.answer?.slices?.[slice] ?? of.answer;
  const found = shown ? answer?.box : null;
  useEffect(() => {
    const target = canvas.current;
    if (!target) return;
    const side = Math.round(target.clientWidth * devicePixelRatio);
    if (target.width !== side) target.width = target.height = side;
    paint(target, picture, map, opacity, view, [
      ...(found ? [{ box: found, colour: MODEL }] : []),
      ...(draft || box ? [{ box: (draft ?? box)!, colour: READER }] : []),
    ]);
  }, [picture, map, opacity, view, found, draft, box]);

  const move = useCallback(
    (by: number) => onSlice(Math.min(Math.max(slice + by, 0), of.slices - 1)),
    [slice, of.slices, onSlice],
  );

  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (drawing && step && box) onBox(nudged(box, step as Point, event.shiftKey));
    else if (drawing && event.key === "Enter" && !box)
      onBox({ x_center: 0.5, y_center: 0.5, width: 0.2, height: 0.2 });
    else if (drawing && event.key === "Delete") onBox(null);
    else if (step) move(step[0]! + step[1]!);
    else return false;
    return true;
  };
  useEffect(() => {
    const own = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || event.ctrlKey || event.metaKey) return;
      if (press(event)) event.preventDefault();
      else if (event.key === "b") setDrawing((now) => !now);
      else if (event.key === "o") setOverlay((now) => !now);
      else if (event.key === "+") setView((old) => ({ ...old, zoom: Math.min(old.zoom * 1.25, 16) }));
      else if (event.key === "-") setView((old) => ({ ...old, zoom: Math.max(old.zoom / 1.25, 0.5) }));
      else if (event.key === "0") setView(PLAIN);
      else if (event.key === "Escape") setDrawing(false);
    };
    addEventListener("keydown", own);
    return () => removeEventListener("keydown", own);
  });

  const place = (event: PointerEvent): Point => {
    const bounds = canvas.current!.getBoundingClientRect();
    const [x, y] = [(event.clientX - bounds.left) / bounds.width, (event.clientY - bounds.top) / bounds.height];
    const shape = fitted(picture);
    return [
      ((x - 0.5) / view.zoom - view.x) / shape[0] + 0.5,
      ((y - 0.5) / view.zoom - view.y) / shape[1] + 0.5,
    ];
  };
  /** What of the reader's box is under the pointer: its sides always, all of it while boxes are drawn. */
  const under = (event: PointerEvent): Hold | null => {
    if (!box || event.shiftKey) return null;
    const shape = fitted(picture);
    const reach = REACH / (canvas.current!.clientWidth * view.zoom);
    const hold = held(box, place(event), [reach / shape[0], reach / shape[1]]);
    return hold && (drawing || hold.x || hold.y) ? hold : null;
  };
  return (
    <section class="viewer" aria-label="Slices">
      <div class="tools">
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            checked={overlay}
            disabled={!shown}
            onChange={(event) => setOverlay(event.currentTarget.checked)}
          />
          Map
        </label>
        <select
          aria-label="Method of the map"
          value={method}
          disabled={!shown}
          onChange={(event) => {
            setMethod(event.currentTarget.value);
            setOverlay(true);
          }}
        >
          {props.methods.map((name, number) => (
            <option value={number ? name : ""}>{name}</option>
          ))}
        </select>
        <input
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={opacity}
          aria-label="Opacity of the map"
          onInput={(event) => setOpacity(Number(event.currentTarget.value))}
        />
        <button type="button" aria-pressed={drawing} onClick={() => setDrawing(!drawing)}>
          Draw box
        </button>
        <button type="button" onClick={() => setView(PLAIN)}>
          Reset view
        </button>
      </div>
      {trouble && <p class="warning">{trouble}</p>}
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${nameOf(of, props.blind)}, slice ${slice + 1} of ${of.slices}`}
        class={drawing ? "drawing" : ""}
        onPointerDown={(event) => {
          canvas.current!.setPointerCapture(event.pointerId);
          const [from, hold] = [place(event), under(event)];
          drag.current = { x: event.clientX, y: event.clientY, view, from, box: null, hold };
        }}
        onPointerMove={(event) => {
          const start = drag.current;
          if (!start) return void (canvas.current!.style.cursor = cursor(under(event)));
          const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
          const side = canvas.current!.clientWidth;
          if (start.hold) setDraft((start.box = dragged(box!, start.hold, start.from, place(event))));
          else if (drawing) setDraft((start.box = between(start.from, place(event))));
          else if (event.shiftKey || event.buttons === 4)
            setView({
              ...start.view,
              x: start.view.x + dx / side / start.view.zoom,
              y: start.view.y + dy / side / start.view.zoom,
            });
          else
            setView({
              ...start.view,
              window: Math.max(start.view.window + dx, 2),
              level: start.view.level - dy / 2,
            });
        }}
        onPointerUp={() => {
          const { box: drawn, hold } = drag.current ?? {};
          drag.current = null;
          if (!drawn) return;
          if (drawn.width > STEP && drawn.height > STEP) onBox(drawn);
          setDraft(null);
          if (!hold) setDrawing(false);
        }}
        onWheel={(event) => {
          event.preventDefault();
          if (of.slices > 1 && !event.ctrlKey) return move(Math.sign(event.deltaY));
          const times = event.deltaY < 0 ? 1.15 : 1 / 1.15;
          setView({ ...view, zoom: Math.min(Math.max(view.zoom * times, 0.5), 16) });
        }}
      />
      <p class="soft">
        {overlay && "The map shows where the network reads, yellow most, not that it reads it rightly. "}
        {props.localises && "Blue: the model's box. "}Orange: yours; drag an edge to resize it. Drag: window and level. Shift-drag: pan. {of.slices > 1
          ? "Wheel: slices. Ctrl-wheel: zoom."
          : "Wheel: zoom."}
      </p>
      {of.slices > 1 && (
        <>
          <label class="slice">
            Slice {slice + 1} of {of.slices}
            <input
              type="range"
              min={0}
              max={of.slices - 1}
              value={slice}
              onInput={(event) => onSlice(Number(event.currentTarget.value))}
            />
          </label>
          {shown && of.answer?.slices && (
            <Curve slices={of.answer.slices} at={slice} healthy={props.healthy} label={of.answer.label} onSlice={onSlice} />
          )}
        </>
      )}
    </section>
  );
}

async function fetched(address: string): Promise<ImageBitmap> {
  const response = await fetch(address);
  if (!response.ok) throw new Error((await response.json()).detail ?? "This picture cannot be had.");
  return createImageBitmap(await response.blob());
}

function levels(bitmap: ImageBitmap): ImageData {
  const page = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
  page.drawImage(bitmap, 0, 0);
  return page.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** The share of the canvas that an image fills along each side. */
function fitted(picture: ImageData | null): [number, number] {
  if (!picture) return [1, 1];
  const longest = Math.max(picture.width, picture.height);
  return [picture.width / longest, picture.height / longest];
}

function paint(
  target: HTMLCanvasElement,
  picture: ImageData | null,
  map: ImageBitmap | null,
  opacity: number,
  view: View,
  boxes: { box: Box; colour: string }[],
): void {
  const pen = target.getContext("2d")!;
  const side = target.width;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = "black";
  pen.fillRect(0, 0, side, side);
  if (!picture) return;
  const [wide, high] = fitted(picture).map((share) => share * side) as [number, number];
  pen.translate(side / 2, side / 2);
  pen.scale(view.zoom, view.zoom);
  pen.translate(view.x * side - wide / 2, view.y * side - high / 2);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(windowed(picture, view), 0, 0, wide, high);
  if (map) {
    pen.globalAlpha = opacity;
    pen.drawImage(map, 0, 0, wide, high);
    pen.globalAlpha = 1;
  }
  pen.lineWidth = (2 * devicePixelRatio) / view.zoom;
  for (const { box, colour } of boxes) {
    pen.strokeStyle = colour;
    pen.strokeRect(
      (box.x_center - box.width / 2) * wide,
      (box.y_center - box.height / 2) * high,
      box.width * wide,
      box.height * high,
    );
  }
}

function windowed(picture: ImageData, view: View): OffscreenCanvas {
  const page = new OffscreenCanvas(picture.width, picture.height);
  const shown = new ImageData(picture.width, picture.height);
  const low = view.level - view.window / 2;
  const table = Uint8ClampedArray.from({ length: 256 }, (_, grey) => (255 * (grey - low)) / view.window);
  for (let n = 0; n < picture.data.length; n += 4) {
    const grey = table[picture.data[n]!]!;
    shown.data[n] = shown.data[n + 1] = shown.data[n + 2] = grey;
    shown.data[n + 3] = 255;
  }
  page.getContext("2d")!.putImageData(shown, 0, 0);
  return page;
}
