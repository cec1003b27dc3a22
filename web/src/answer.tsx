import { useEffect, useState } from "preact/hooks";
import { getAlike, getTraining, trainingAddress, type Alike, type Case, type TrainingNeighbour, type Model } from "./api";
import { inWords, percent, readable } from "./words";

interface Properties {
  of: Case;
  shown: boolean;
  blind: boolean;
  model: Model | null;
  onShow: () => void;
}

/** What the model says, in words, unless the reader is to say it first. */
export function Answer({ of, shown, blind, model, onShow }: Properties) {
  if (!shown)
    return (
      <section aria-label="Answer of the model">
        <h2>The model's answer is hidden</h2>
        <p class="soft">{blind ? "It is shown once your label is saved." : "Press h to show it."}</p>
        {(!blind || of.said.length > 0) && (
          <button type="button" onClick={onShow}>
            Show it
          </button>
        )}
      </section>
    );
  const { answer } = of;
  if (!answer) return <p>{of.status === "failed" ? of.note : "It is being answered …"}</p>;
  if (answer.error) return <p class="warning">Not answered: {answer.error}</p>;
  const chances = Object.entries(answer.probabilities).sort((one, other) => other[1] - one[1]);
  const others = (answer.set ?? []).filter((name) => name !== answer.label);
  return (
    <section aria-label="Answer of the model">
      {answer.accepted ? (
        <h2>
          {readable(answer.label)}{" "}
          <span class="soft">{inWords(answer.probabilities[answer.label] ?? 0)}</span>
        </h2>
      ) : (
        <h2 class="warning">No answer: {answer.reason}</h2>
      )}
      {!answer.accepted && chances.length > 0 && (
        <p class="soft">What the network gave, not to be relied on: the image was refused.</p>
      )}
      <table>
        <tbody>
          {chances.map(([name, chance]) => (
            <tr>
              <th scope="row">{readable(name)}</th>
              <td>
                <meter min={0} max={1} value={chance} aria-label={`${readable(name)} ${percent(chance)}`} />
              </td>
              <td class="number">{percent(chance)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {answer.accepted && answer.set && model?.error_rate != null && (
        <p>
          Label set at an error rate of {percent(model.error_rate)}:{" "}
          {answer.set.length === 0
            ? "empty, no class is probable enough."
            : others.length
              ? `${answer.set.map(readable).join(", ")}.`
              : `${readable(answer.set[0]!)} alone.`}{" "}
          <span class="soft">The rate holds for images like those that it was calibrated on.</span>
        </p>
      )}
      {answer.note && <p class="soft">{answer.note}</p>}
      <SimilarTraining id={of.id} />
      <SimilarCases id={of.id} />
    </section>
  );
}

/** What is asked of the server about a case, anew for each. */
function useFound<T>(id: string, ask: (id: string) => Promise<T[]>): T[] {
  const [found, setFound] = useState<T[]>([]);
  useEffect(() => {
    let still = true;
    setFound([]);
    ask(id).then((own) => still && setFound(own), () => undefined);
    return () => {
      still = false;
    };
  }, [id]);
  return found;
}

/** Training images, of a sample, that look alike to the network: pictures where they may be shown. */
function SimilarTraining({ id }: { id: string }) {
  const found = useFound<TrainingNeighbour>(id, getTraining);
  if (!found.length) return null;
  return (
    <details>
      <summary>Most similar training slices</summary>
      <ol class={found[0]!.shown ? "training" : ""}>
        {found.map(({ number, label, likeness, shown }) => (
          <li>
            {shown && <img src={trainingAddress(number)} alt="" loading="lazy" />}
            {readable(label)} <span class="soft">{likeness.toFixed(2)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Cases of the log that look alike to the network. */
function SimilarCases({ id }: { id: string }) {
  const found = useFound<Alike>(id, getAlike);
  if (!found.length) return null;
  return (
    <details>
      <summary>Most similar cases</summary>
      <ol>
        {found.map(({ case: one, likeness }) => (
          <li>
            {one.name}: {readable(one.label || "refused")} <span class="soft">likeness {likeness.toFixed(2)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}
