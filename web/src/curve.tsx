import type { Answer } from "./api";
import { percent, readable } from "./words";

const HIGH = 64;

interface Properties {
  slices: Answer[];
  at: number;
  healthy: string | null;
  label: string;
  onSlice: (number: number) => void;
}

function likeliest(answer: Answer | undefined): string {
  const chances = Object.entries(answer?.probabilities ?? {});
  return chances.sort((one, other) => other[1] - one[1])[0]?.[0] ?? "";
}

/** The probability along a stack: of a tumour where the model knows of none, else of its answer. */
export function Curve({ slices, at, healthy, label, onSlice }: Properties) {
  const wide = Math.max(slices.length - 1, 1);
  const own = label || likeliest(slices[at]);
  const chances = slices.map((one) =>
    healthy === null ? (one.probabilities[own] ?? 0) : 1 - (one.probabilities[healthy] ?? 1),
  );
  const what = healthy === null ? readable(own) : "a tumour";
  const line = chances.map((chance, n) => `${n},${HIGH * (1 - chance)}`).join(" ");
  return (
    <figure class="curve">
      <svg
        viewBox={`0 -2 ${wide} ${HIGH + 4}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Probability of ${what} along the stack; here ${percent(chances[at] ?? 0)}`}
        onClick={(event) => {
          const bounds = event.currentTarget.getBoundingClientRect();
          onSlice(Math.round(((event.clientX - bounds.left) / bounds.width) * wide));
        }}
      >
        <polyline points={line} />
        <line x1={at} x2={at} y1={0} y2={HIGH} />
      </svg>
      <figcaption>
        Probability of {what} along the stack: {percent(chances[at] ?? 0)} here
        {!slices[at]?.accepted && `; not answered: ${slices[at]?.error ?? slices[at]?.reason ?? ""}`}
      </figcaption>
    </figure>
  );
}
