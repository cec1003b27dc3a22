// How sure the model is, in words that claim no more than the number does.

const SURE: [number, string][] = [
  [0.95, "very high model confidence"],
  [0.8, "high model confidence"],
  [0.5, "moderate model confidence"],
  [0, "low model confidence"],
];

export function inWords(probability: number): string {
  return SURE.find(([least]) => probability >= least)![1];
}

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export const readable = (label: string) => label.replaceAll("_", " ");
