import type { List, Summary } from "./api";
import { percent, readable } from "./words";

interface Query {
  list: string;
  name: string;
  label: string;
  reviewed: string;
}

interface Properties {
  cases: Summary[];
  total: number;
  lists: List[];
  open: string | undefined;
  classes: string[];
  query: Query;
  busy: number | null;
  blind: boolean;
  onQuery: (query: Query) => void;
  onFiles: (files: File[]) => void;
  onOpen: (id: string) => void;
}

/** Cases that were taken in, and where new ones are dropped. */
export function Worklist(props: Properties) {
  const { query } = props;
  const corrects = props.lists.some((own) => own.name === query.list && own.corrects);
  return (
    <nav class="list" aria-label="Cases">
      <label class="drop">
        <input
          type="file"
          multiple
          onChange={(event) => {
            props.onFiles([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        Drop files here, or choose them
      </label>
      {props.busy !== null && <progress value={props.busy || undefined} aria-label="Sending" />}
      <div class="filters">
        {props.lists.length > 0 && (
          <select
            aria-label="List"
            value={query.list}
            onChange={(event) => props.onQuery({ ...query, list: event.currentTarget.value })}
          >
            <option value="">Uploaded cases</option>
            {props.lists.map((own) => (
              <option value={own.name}>
                {own.reviewed} of {own.cases} reviewed: {own.name}
              </option>
            ))}
          </select>
        )}
        <input
          type="search"
          placeholder="File or series"
          aria-label="Name of the file or series"
          value={query.name}
          onInput={(event) => props.onQuery({ ...query, name: event.currentTarget.value })}
        />
        {!props.blind && (
          <select
            aria-label="Answer"
            value={query.label}
            onChange={(event) => props.onQuery({ ...query, label: event.currentTarget.value })}
          >
            <option value="">any answer</option>
            {props.classes.map((name) => (
              <option value={name}>{readable(name)}</option>
            ))}
          </select>
        )}
        <select
          aria-label="Reviewed"
          value={query.reviewed}
          onChange={(event) => props.onQuery({ ...query, reviewed: event.currentTarget.value })}
        >
          <option value="">any review</option>
          <option value="false">not reviewed by anyone</option>
          <option value="true">reviewed by someone</option>
        </select>
      </div>
      <ul>
        {props.cases.map((one) => (
          <li key={one.id}>
            <button
              type="button"
              aria-current={one.id === props.open ? "true" : undefined}
              onClick={() => props.onOpen(one.id)}
            >
              <span class="name">{nameOf(one, props.blind)}</span>
              <span class="soft">
                {one.slices > 1 && `${one.slices} slices · `}
                {one.status === "answered" ? (props.blind ? "answered" : told(one)) : one.status}
                {one.reviews > 0 && " · reviewed"}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <p class="soft">
        {props.cases.length} shown, {props.total} {props.cases[0]?.list ? "on the list" : "in the log"} · <a href={corrects ? "api/corrected.csv" : "api/reviews.csv"}>
          {corrects ? "corrected labels (CSV)" : "latest reviews (CSV)"}
        </a>
      </p>
    </nav>
  );
}

/** What a case is called; by its rank where its path would tell its label before a blind read. */
export function nameOf(one: Summary, blind: boolean): string {
  return one.list && blind ? `#${one.rank}` : one.name;
}

function told(one: Summary): string {
  if (one.list) return `filed as ${readable(one.filed)}`;
  return one.label ? `${readable(one.label)}, ${percent(one.probability ?? 0)}` : "refused";
}

/** Return what was dropped, the files of dropped folders included. */
export async function dropped(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((one) => one != null);
  if (!entries.some((one) => one.isDirectory)) return [...data.files];
  const files: File[] = [];
  for (const entry of entries) await collect(entry, files);
  return files;
}

async function collect(entry: FileSystemEntry, files: File[]): Promise<void> {
  if (entry.isFile) {
    files.push(await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed)));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return;
    for (const one of some) await collect(one, files);
  }
}
