// Looks at pages in a browser: node pages.mjs CHROMIUM PAGE.html ...
// Writes a JSON list: what axe finds wrong, how much wider than the screen each page is, and how
// many of its pictures are not shown. Where SCREENSHOTS names a folder, pictures of each page are
// written there.
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, ...pages] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const LOOKS = {
  wide: { viewport: { width: 1280, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
};
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
args.push("--disable-background-networking", "--disable-component-update", "--disable-sync");
const browser = await chromium.launch({ executablePath, args });
const answers = [];
for (const [look, options] of Object.entries(LOOKS)) {
  const context = await browser.newContext(options);
  for (const page of pages) {
    const tab = await context.newPage();
    await tab.goto(pathToFileURL(resolve(page)).href);
    await tab.addScriptTag({ path: axe });
    const { violations } = await tab.evaluate(() => window.axe.run());
    const excess = await tab.evaluate(
      (width) => document.documentElement.scrollWidth - width, options.viewport.width,
    );
    const missing = await tab.evaluate(
      () => [...document.images].filter((image) => !image.naturalWidth).length,
    );
    if (process.env.SCREENSHOTS) {
      const name = `${basename(dirname(resolve(page)))}-${basename(page, ".html")}-${look}.png`;
      await tab.screenshot({ path: join(process.env.SCREENSHOTS, name), fullPage: true });
    }
    const wrong = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
    answers.push({ page, look, wrong, excess, missing });
    await tab.close();
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify(answers));
