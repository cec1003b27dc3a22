import { useCallback, useEffect, useState } from "preact/hooks";
import { follow, getCase, getCases, getModel, upload, type Case, type Model, type Summary } from "./api";
import { Answer } from "./answer";
import { Viewer } from "./viewer";
import { Worklist } from "./worklist";
import { Reviewing, useReview } from "./review";

/** The whole page: a list of cases, the slices of one, and what the model and the reader say. */
export function Reader() {
  const [model, setModel] = useState<Model | null>(null);
  const [cases, setCases] = useState<Summary[]>([]);
  const [total, setTotal] = useState(0);
  const [query, setQuery] = useState({ name: "", label: "", reviewed: "" });
  const [open, setOpen] = useState<Case | null>(null);
  const [slice, setSlice] = useState(0);
  const [blind, setBlind] = useState(() => localStorage.getItem("blind") === "yes");
  const [shown, setShown] = useState(!blind); // whether the model's answer is
  const [news, setNews] = useState("");
  const [busy, setBusy] = useState<number | null>(null);
  const review = useReview(open, slice, !shown, setNews, (said) => {
    setOpen((old) => (old ? { ...old, said: [...old.said, said], reviews: old.reviews + 1 } : old));
    if (blind) setShown(true);
    void list();
  });

  const list = useCallback(async () => {
    const asked = new URLSearchParams({ count: "100" });
    for (const [name, value] of Object.entries(query)) if (value) asked.set(name, value);
    try {
      const found = await getCases(asked);
      setCases(found.cases);
      setTotal(found.total);
    } catch (error) {
      setNews((error as Error).message);
    }
  }, [query]);

  const show = useCallback(
    async (id: string) => {
      const found = await getCase(id);
      setOpen(found);
      setSlice(found.answer?.deciding?.[0] ?? 0);
      setShown(!blind);
      history.replaceState(null, "", `#${id}`);
    },
    [blind],
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
        setNews(taken.length > 1 ? `${taken.length} cases were taken in.` : "");
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
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || !model) return;
      if ((event.ctrlKey || event.metaKey) && event.key === "z") review.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (/^[1-9]$/.test(event.key)) review.choose(model.classes[Number(event.key) - 1]);
      else if (event.key === "h") setShown((now) => !now);
      else if (event.key === "j" || event.key === "k") {
        const at = cases.findIndex((one) => one.id === open?.id);
        const next = cases[at + (event.key === "j" ? 1 : -1)];
        if (next) void show(next.id);
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [model, cases, open, review, show]);

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
            }}
          />
          Blind read
        </label>
      </header>
      <main>
        <Worklist
          cases={cases}
          total={total}
          open={open?.id}
          classes={model?.classes ?? []}
          query={query}
          busy={busy}
          blind={blind}
          onQuery={setQuery}
          onFiles={take}
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
              box={review.state.box}
              onBox={review.draw}
            />
            <section class="said" aria-label="Answer and review">
              <Answer of={open} shown={shown} blind={blind} model={model} onShow={() => setShown(true)} />
              <Reviewing review={review} of={open} classes={model?.classes ?? []} />
            </section>
          </>
        ) : (
          <section class="empty">
            <p>Drop a slice, a DICOM series, a NIfTI volume or a zip of one anywhere on the list.</p>
            {model && <p class="soft">{model.scope || model.summary}</p>}
          </section>
        )}
      </main>
      <footer>
        <span>
          Keys: 1–9 label, h hide or show, ←→ slice, o overlay, b box, + − zoom, 0 reset, j k next case, Ctrl+Z undo
        </span>
      </footer>
      <p class="news" role="status" aria-live="polite">
        {news}
      </p>
    </>
  );
}
