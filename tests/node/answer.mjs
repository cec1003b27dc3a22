// Answers many slices: node answer.mjs GRAPH SHAPES.json LEVELS.bin ANSWERS.json
// LEVELS holds the grey levels of all slices behind each other, float32; SHAPES their [height, width].
import { readFileSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [graph, shapes, levels, out] = process.argv.slice(2);
const session = await ort.InferenceSession.create(graph);
const bytes = readFileSync(levels);
const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const answers = [];
let start = 0;
for (const [height, width] of JSON.parse(readFileSync(shapes))) {
  const own = all.slice(start, start + height * width);
  start += height * width;
  const found = await session.run({ slices: new ort.Tensor("float32", own, [1, height, width]) });
  answers.push({
    probabilities: Array.from(found.probabilities.data),
    strangeness: found.strangeness.data[0],
  });
}
writeFileSync(out, JSON.stringify(answers));
