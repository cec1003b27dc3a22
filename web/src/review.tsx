import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { review as send, type Box, type Case, type Said } from "./api";
import { readable } from "./words";

const WAIT = 1200; // milliseconds without a change, after which it is saved

interface State {
  label: string;
  box: Box | null;
  slice: number | null; // that the box lies on
  comment: string;
}

const NOTHING: State = { label: "", box: null, slice: null, comment: "" };

export interface Review {
  state: State;
  reader: string;
  saved: boolean;
  saved_label: boolean; // whether this reader's label is in the log
  setReader: (name: string) => void;
  choose: (label: string | undefined) => void;
  draw: (box: Box | null) => void;
  write: (comment: string) => void;
  undo: () => void;
}

/** What the reader says of the open case: each change is saved after a moment, and can be undone. */
export function useReview(
  of: Case | null,
  slice: number,
  blind: boolean,
  onNews: (news: string) => void,
  onSaved: (said: Said) => void,
): Review {
  const [state, setState] = useState<State>(NOTHING);
  const [reader, setReader] = useState(() => localStorage.getItem("reader") ?? "");
  const [saved, setSaved] = useState(true);
  const latest = useRef(state); // a key may come before the page has shown what the last one did
  const past = useRef<State[]>([]);
  const timer = useRef(0);
  const now = useRef({ of, slice, blind, reader });
  now.current = { of, slice, blind, reader };

  const pending = useRef<(() => void) | null>(null); // what is saved before another case is opened
  useEffect(() => {
    pending.current?.();
    const last = now.current.blind ? undefined : of?.said.at(-1);
    become(last ? { label: last.label, box: last.box, slice: last.slice, comment: last.comment } : NOTHING);
    past.current = [];
    setSaved(true);
  }, [of?.id]);
  useEffect(() => localStorage.setItem("reader", reader), [reader]);

  const save = useCallback(
    (next: State) => {
      clearTimeout(timer.current);
      setSaved(false);
      const at = now.current;
      const write = async () => {
        clearTimeout(timer.current);
        pending.current = null;
        if (!at.of || !next.label) return;
        if (!now.current.reader) return onNews("Not saved yet: enter your name.");
        try {
          const said = { ...next, reader: now.current.reader, blind: at.blind };
          const kept = await send(at.of.id, said);
          if (now.current.of?.id !== at.of.id) return;
          onSaved(kept);
          setSaved(true);
          onNews("Saved.");
        } catch (error) {
          onNews((error as Error).message);
        }
      };
      pending.current = () => void write();
      timer.current = window.setTimeout(write, WAIT);
    },
    [onNews, onSaved],
  );

  function become(next: State) {
    latest.current = next;
    setState(next);
  }
  const change = (some: Partial<State>) => {
    past.current.push(latest.current);
    become({ ...latest.current, ...some });
    save(latest.current);
  };
  return {
    state,
    reader,
    saved,
    saved_label: saved && state.label !== "",
    setReader: (name) => {
      setReader(name);
      now.current.reader = name;
      if (!saved && latest.current.label) save(latest.current);
    },
    choose: (label) => label && change({ label }),
    draw: (box) => change({ box, slice: box ? now.current.slice : null }),
    write: (comment) => change({ comment }),
    undo: () => {
      const before = past.current.pop();
      if (!before) return onNews("There is nothing to undo.");
      become(before);
      save(before);
    },
  };
}

/** The form in which a reader says what a case is. */
export function Reviewing(props: { review: Review; of: Case; classes: string[]; shown: boolean }) {
  const { review, of, classes, shown } = props;
  const { state } = review;
  return (
    <section aria-label="Your review">
      <h2>Your review</h2>
      {of.list && shown && (
        <p class="filed">
          Filed as <strong>{readable(of.filed)}</strong>; a model that had not seen it says{" "}
          <strong>{readable(of.suggested)}</strong>.{" "}
          <span class="soft">The model that answers above may have been trained on this image.</span>
        </p>
      )}
      <label>
        Your name or initials
        <input
          value={review.reader}
          maxLength={80}
          autocomplete="off"
          onInput={(event) => review.setReader(event.currentTarget.value)}
        />
      </label>
      <div class="labels" role="radiogroup" aria-label="Label">
        {classes.map((name, number) => (
          <button
            type="button"
            role="radio"
            aria-checked={state.label === name}
            onClick={() => review.choose(name)}
          >
            <kbd>{number + 1}</kbd> {readable(name)}
          </button>
        ))}
      </div>
      <label>
        Comment
        <textarea
          rows={2}
          maxLength={4000}
          value={state.comment}
          onInput={(event) => review.write(event.currentTarget.value)}
        />
      </label>
      <p>
        <button type="button" onClick={review.undo}>
          Undo
        </button>
        {state.box && (
          <button type="button" onClick={() => review.draw(null)}>
            Remove the box
          </button>
        )}
        <span class="soft"> {!state.label ? "Choose a label to save." : review.saved ? "saved" : "not saved yet"}</span>
      </p>
      {of.said.length > 0 && (
        <details>
          <summary>{of.said.length === 1 ? "1 saved version" : `${of.said.length} saved versions`}</summary>
          <ul>
            {of.said.map((own) => (
              <li>
                {own.reader}: {readable(own.label)}
                {own.blind && ", blind"}
                {own.box && ", with a box"} <span class="soft">{new Date(own.created).toLocaleString()}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
