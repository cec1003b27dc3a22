import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { follow, getCase, getCases, getLists, getModel, upload } from "./api";
import type { Case, List, Model, Summary } from "./api";
import { Answer } from "./answer";
import { Viewer } from "./viewer";
import { dropped, Worklist } from "./worklist";
import { Reviewing, useReview } from "./review";

/** The whole page: a list of cases, the slices of one, and what the model and the reader say. */
export function Reader() {
  const [model, setModel] = useState<Model | null>(null);
  const [cases, setCases] = useState<Summary[]>([]);
  const [total, setTotal] = useState(0);
  const [lists, setLists] = useState<List[]>([]);
  const [query, setQuery] = useState({ list: "", name: "", label: "", reviewed: "" });
  const [open, setOpen] = useState<Case | null>(null);
  const [slice, setSlice] = useState(0);
  const [blind, setBlind] = useState(() => localStorage.getItem("blind") === "yes");
  const [shown, setShown] = useState(!blind); // whether the model's answer is
  const isBlind = useRef(blind); // also for what was begun before the switch was turned
  isBlind.current = blind;
  const [seen, setSeen] = useState(!blind); // whether it ever was, for this case
  const [news, setNews] = useState("");
  const [busy, setBusy] = useState<number | null>(null);
  const review = useReview(open, slice, blind && !seen, setNews, (said) => {
    setOpen((old) => (old ? { ...old, said: [...old.said, said], reviews: old.reviews + 1 } : old));
    if (blind) setShown(true);
    void list();
  });

  const list = useCallback(async () => {
    const asked = new URLSearchParams({ count: query.list ? "500" : "100" });
    for (const [name, value] of Object.entries(query)) if (value) asked.set(name, value);
    try {
      const found = await getCases(asked);
      setCases(found.cases);
      setTotal(found.total);
      setLists(await getLists());
    } catch (error) {
      setNews((error as Error).message);
    }
  }, [query]);

  const show = useCallback(
    async (id: string) => {
      const found = await getCase(id);
      setOpen(found);
      setQuery((old) => (old.list === found.list ? old : { ...old, list: found.list }));
      setSlice(isBlind.current ? 0 : (found.answer?.deciding?.[0] ?? 0));
      setShown(!isBlind.current);
      setSeen(!isBlind.current);
      history.replaceState(null, "", `#${id}`);
    },
    [],
  );

  const take = useCallback(
    async (files: File[]) => {
      if (!files.length) return;
      setNews("");
      setBusy(0);
      try {
        const taken = await upload(files, setBusy);
        setBusy(null);
        await list();
        await show(taken[0]!.id);
        for (const one of taken) {
          if (one.status !== "waiting") continue;
          await follow(one.id, (done, all) => setNews(`${one.name}: ${done} of ${all} slices answered`));
          await show(one.id);
        }
        setNews(taken.length > 1 ? takenIn(taken) : "");
        await list();
      } catch (error) {
        setNews((error as Error).message);
      } finally {
        setBusy(null);
      }
    },
    [list, show],
  );

  useEffect(() => {
    getModel().then(setModel, (error: Error) => setNews(error.message));
    const id = location.hash.slice(1);
    if (/^[0-9a-f]{32}$/.test(id)) show(id).catch(() => history.replaceState(null, "", "#"));
  }, []);
  useEffect(() => void list(), [list]);
  useEffect(() => localStorage.setItem("blind", blind ? "yes" : "no"), [blind]);
  useEffect(() => {
    if (shown) setSeen(true);
  }, [shown]);
  useEffect(() => {
    const over = (event: DragEvent) => event.preventDefault();
    const drop = async (event: DragEvent) => {
      event.preventDefault();
      if (event.dataTransfer) void take(await dropped(event.dataTransfer));
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  }, [take]);

  const classes = (open?.list ? lists.find((own) => own.name === open.list)?.labels : model?.classes) ?? [];
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || !model) return;
      if ((event.ctrlKey || event.metaKey) && event.key === "z") review.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (/^[1-9]$/.test(event.key)) review.choose(classes[Number(event.key) - 1]);
      else if (event.key === "h") setShown((now) => !now && (!blind || review.saved_label));
      else if (event.key === "j" || event.key === "k") {
        const at = cases.findIndex((one) => one.id === open?.id);
        const next = cases[at + (event.key === "j" ? 1 : -1)];
        if (next) void show(next.id);
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [model, cases, open, lists, review, show, blind]);

  const healthy = model?.healthy ?? null;
  return (
    <>
      <header>
        <h1>tumorscope</h1>
        <p>{model ? model.name : "…"}</p>
        <p>
          <strong>Research use only, not a medical device.</strong>
        </p>
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            checked={blind}
            onChange={(event) => {
              setBlind(event.currentTarget.checked);
              setShown(!event.currentTarget.checked);
              if (event.currentTarget.checked) setQuery((old) => ({ ...old, label: "" }));
            }}
          />
          Blind read
        </label>
      </header>
      <main>
        <Worklist
          cases={cases}
          total={total}
          lists={lists}
          open={open?.id}
          classes={model?.classes ?? []}
          query={query}
          busy={busy}
          blind={blind}
          onQuery={setQuery}
          onFiles={(files) => void take(files)}
          onOpen={(id) => void show(id).catch((error: Error) => setNews(error.message))}
        />
        {open ? (
          <>
            <Viewer
              of={open}
              slice={slice}
              onSlice={setSlice}
              shown={shown}
              methods={model?.methods ?? []}
              healthy={healthy}
              localises={model?.localises ?? false}
              blind={blind && !review.saved_label}
              box={review.state.slice === null || review.state.slice === slice ? review.state.box : null}
              onBox={review.draw}
            />
            <section class="said" aria-label="Answer and review">
              <Answer of={open} shown={shown} blind={blind} model={model} onShow={() => setShown(true)} />
              <Reviewing review={review} of={open} classes={classes} shown={shown} />
            </section>
          </>
        ) : (
          <section class="empty">
            <p>Drop a slice, a DICOM series, a NIfTI volume or a zip of these anywhere on the page.</p>
            {model && <p class="soft">{model.scope || model.summary}</p>}
          </section>
        )}
      </main>
      <footer>
        <span>
          Keys: 1–9 label, h show or hide the answer, ←→ slice, o map, b draw a box, + − zoom, 0 reset view, j/k
          next/previous case, Ctrl+Z undo. With a box: arrows move it, Shift-arrows size it, Delete removes it.
        </span>
      </footer>
      <p class="news" role="status" aria-live="polite">
        {news}
      </p>
    </>
  );
}

/** Say how many cases an upload came to, and how many of them stand for files that cannot be answered. */
function takenIn(taken: Case[]): string {
  const failed = taken.filter((one) => one.status === "failed").length;
  const which = failed === 1 ? "1 of them stands" : `${failed} of them stand`;
  return `${taken.length} cases were taken in${failed ? `; ${which} for files that cannot be answered` : ""}.`;
}
