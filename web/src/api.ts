// What the server says, as its OpenAPI document describes it.

export interface Box {
  x_center: number;
  y_center: number;
  width: number;
  height: number;
}

export interface Answer {
  label: string;
  probabilities: Record<string, number>;
  set: string[] | null;
  accepted: boolean;
  reason: string;
  error: string | null;
  note?: string;
  box?: (Box & { score: number }) | null;
  deciding?: number[];
  slices?: Answer[];
}

export interface Said {
  reader: string;
  label: string;
  blind: boolean;
  slice: number | null;
  box: Box | null;
  comment: string;
  created: string;
}

export interface Summary {
  id: string;
  created: string;
  name: string;
  kind: "image" | "series";
  slices: number;
  status: "waiting" | "answered" | "failed";
  label: string;
  probability: number | null;
  accepted: boolean;
  note: string;
  reviews: number;
  list: string; // the review list that it is on
  rank: number; // on the list
  filed: string; // its label there
  suggested: string; // by a model that had not seen it
}

export interface Case extends Summary {
  answer: Answer | null;
  kept: boolean;
  said: Said[];
}

export interface Model {
  name: string;
  classes: string[];
  healthy: string | null;
  summary: string;
  scope: string;
  error_rate: number | null;
  localises: boolean;
  methods: string[];
  stores: boolean;
  notice: string;
}

export interface List {
  name: string;
  cases: number;
  reviewed: number;
  labels: string[];
  corrects: boolean; // whether its corrected labels can be had
}

export interface Alike {
  case: Summary;
  likeness: number;
}

/** A training image that looks like a case to the network. */
export interface TrainingNeighbour {
  number: number;
  label: string;
  likeness: number;
  shown: boolean;
}

async function asked<T>(path: string, options?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: is 'tumorscope serve' still running?");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(content.detail ?? `The server said ${response.status}.`);
  return content as T;
}

export const getModel = () => asked<Model>("api/model");
export const getCases = (query: URLSearchParams) =>
  asked<{ cases: Summary[]; total: number }>(`api/cases?${query}`);
export const getCase = (id: string) => asked<Case>(`api/cases/${id}`);
export const getLists = () => asked<List[]>("api/lists");
export const getTraining = (id: string) => asked<TrainingNeighbour[]>(`api/cases/${id}/training`);
export const trainingAddress = (number: number) => `api/training/${number}`;
export const getAlike = (id: string) => asked<Alike[]>(`api/cases/${id}/alike`);

export function review(id: string, said: Omit<Said, "created">): Promise<Said> {
  return asked<Said>(`api/cases/${id}/review`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(said),
  });
}

export const sliceAddress = (id: string, number: number) => `api/cases/${id}/slices/${number}`;
export const mapAddress = (id: string, number: number, method: string) =>
  `api/cases/${id}/maps/${number}?method=${encodeURIComponent(method)}`;

/** Send files, and report the share that has gone out. */
export function upload(files: File[], onProgress: (share: number) => void): Promise<Case[]> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", "api/cases");
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / Math.max(event.total, 1));
    request.onload = () =>
      request.status === 201
        ? resolve(request.response as Case[])
        : reject(new Error(request.response?.detail ?? `The server said ${request.status}.`));
    request.onerror = () => reject(new Error("The server does not answer."));
    request.send(form);
  });
}

/** Follow the answering of a case to its end. */
export function follow(id: string, onProgress: (done: number, total: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const events = new EventSource(`api/cases/${id}/events`);
    events.addEventListener("progress", (event) => {
      const { done, total } = JSON.parse(event.data) as { done: number; total: number };
      onProgress(done, total);
    });
    const end = () => {
      events.close();
      resolve();
    };
    events.addEventListener("end", end);
    events.onerror = end;
  });
}
