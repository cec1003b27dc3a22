// The built page lies in the Python package, under names that do not change from build to build,
// with a digest of its source, by which a test sees that it was built.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const digest = createHash("sha256");
for (const name of readdirSync("src").sort()) digest.update(readFileSync(`src/${name}`));
digest.update(readFileSync("index.html"));
const source = digest.digest("hex").slice(0, 16);

export default {
  base: "./",
  plugins: [
    {
      name: "source-digest",
      transformIndexHtml: (html) => html.replace("</head>", `  <meta name="source" content="${source}" />\n  </head>`),
    },
  ],
  build: {
    outDir: "../src/tumorscope/serve/page",
    emptyOutDir: true,
    modulePreload: false,
    rollupOptions: {
      output: { entryFileNames: "assets/reader.js", assetFileNames: "assets/reader.[ext]" },
    },
  },
};
