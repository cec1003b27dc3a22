// Numbers as words that mean the same to every reader.

const SURE: [number, string][] = [
  [0.99, "almost certain"],
  [0.9, "very likely"],
  [0.7, "likely"],
  [0.4, "about as likely as not"],
  [0.1, "unlikely"],
  [0.01, "very unlikely"],
  [0, "almost excluded"],
];

export function inWords(probability: number): string {
  return SURE.find(([least]) => probability >= least)![1];
}

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export const readable = (label: string) => label.replaceAll("_", " ");
