// Walks through the reader's page as people do: node reader.mjs CHROMIUM ADDRESS FILES.json
// FILES names the paths of an image, of a series' files, and of a volume. Writes a JSON object of
// what was seen; where SCREENSHOTS names a folder, pictures are written there.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address, listing] = process.argv.slice(2);
const files = JSON.parse(readFileSync(listing, "utf8"));
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
args.push("--disable-background-networking", "--disable-component-update", "--disable-sync");
const browser = await chromium.launch({ executablePath, args });
const seen = { requests: [], errors: [], axe: {}, excess: {} };

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.goto(address);
  await page.getByText("Research use only, not a medical device.").waitFor();
  return page;
}

/** Drop files on the list, as from a folder of the desktop. */
async function drop(page, paths) {
  const contents = paths.map((path) => ({ name: basename(path), data: readFileSync(path).toString("base64") }));
  const data = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    for (const { name, data } of given) {
      const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
    }
    return transfer;
  }, contents);
  await page.dispatchEvent("main", "drop", { dataTransfer: data });
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

async function check(page, name) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => window.axe.run());
  seen.axe[name] = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
  const width = page.viewportSize().width;
  seen.excess[name] = await page.evaluate((own) => document.documentElement.scrollWidth - own, width);
}

const colours = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let grey = 0, coloured = 0;
    for (let n = 0; n < data.length; n += 4) {
      const spread = Math.max(data[n], data[n + 1], data[n + 2]) - Math.min(data[n], data[n + 1], data[n + 2]);
      if (spread > 12) coloured += 1;
      else if (data[n] > 12) grey += 1;
    }
    return { grey, coloured };
  });
const heading = (page) => page.locator("section[aria-label='Answer of the model'] h2").innerText();

// An image: dropped, answered, seen under its map.
let page = await open({});
const started = Date.now();
await drop(page, [files.image]);
await page.locator("section[aria-label='Answer of the model'] table").waitFor();
seen.seconds = (Date.now() - started) / 1000;
seen.answer = await heading(page);
await page.waitForFunction(() => document.querySelector("canvas")?.width > 1);
await page.waitForTimeout(300);
seen.plain = await colours(page);
await picture(page, "image");
await page.keyboard.press("o");
await page.waitForResponse((response) => response.url().includes("/maps/"));
await page.waitForTimeout(300);
seen.mapped = await colours(page);
await picture(page, "overlay");
await page.getByText("Most similar training slices").click();
await page.locator(".training img").first().waitFor();
await page.waitForFunction(() => [...document.querySelectorAll(".training img")].every((own) => own.naturalWidth > 0));
seen.learned = await page.locator(".training img").count();
await picture(page, "learned");
await check(page, "image");

// Window and level by dragging, back by a key.
const canvas = await page.locator("canvas").boundingBox();
const [x, y] = [canvas.x + canvas.width / 2, canvas.y + canvas.height / 2];
await page.keyboard.press("o");
await page.mouse.move(x, y);
await page.mouse.down();
await page.mouse.move(x, y + 200, { steps: 4 });
await page.mouse.up();
seen.darker = await colours(page);
await page.keyboard.press("0");

// A box, a label; both are there after the page is loaded again.
await page.getByLabel("Your name or initials").fill("A. Reader");
await page.keyboard.press("Escape");
await page.getByRole("button", { name: "Draw box", exact: true }).click();
await page.mouse.move(x - 60, y - 40);
await page.mouse.down();
await page.mouse.move(x + 50, y + 60, { steps: 5 });
await page.mouse.up();
await page.evaluate(() => document.activeElement?.blur());
await page.keyboard.press("1");
await page.getByText("Saved.").waitFor();
await picture(page, "review");
const said = () => page.evaluate(async () => (await (await fetch(`api/cases/${location.hash.slice(1)}`)).json()).said);
seen.drawn = (await said()).at(-1).box;

// Its right side is dragged, no mode needed; then all of it, while boxes are drawn.
const before = (await said()).length;
await page.mouse.move(x + 50, y + 10);
await page.mouse.down();
await page.mouse.move(x + 90, y + 10, { steps: 5 });
await page.mouse.up();
await page.keyboard.press("b");
await page.mouse.move(x, y);
await page.mouse.down();
await page.mouse.move(x - 30, y + 20, { steps: 5 });
await page.mouse.up();
await page.keyboard.press("Escape");
for (let n = 0; n < 40 && (await said()).length === before; n += 1) await page.waitForTimeout(100);
seen.dragged = (await said()).at(-1).box;
seen.width = canvas.width;
await page.keyboard.press("2");
await page.keyboard.press("Control+z");
await page.waitForTimeout(1600);
await page.reload();
await page.getByText("saved version").waitFor();
seen.kept = await page.locator("[role=radio][aria-checked=true]").innerText();
await page.waitForTimeout(400);
seen.boxed = await colours(page);

// A series: the wheel goes through it, with the probability along the stack.
await drop(page, files.series);
await page.locator(".curve svg").waitFor();
seen.slices = await page.locator(".slice").innerText();
await page.mouse.move(x, y);
await page.mouse.wheel(0, seen.slices.startsWith("Slice 1 ") ? 120 : -120);
await page.waitForTimeout(300);
seen.scrolled = await page.locator(".slice").innerText();
await picture(page, "series");
await check(page, "series");

// A volume.
await drop(page, [files.volume]);
await page.waitForFunction((name) => document.querySelector("[aria-current]")?.textContent.includes(name), basename(files.volume));
await page.locator(".curve svg").waitFor();
seen.volume = await heading(page);

// A blind read: the answer shows when the reader has spoken.
await page.getByRole("switch", { name: "Blind read" }).check();
await drop(page, [files.image]);
await page.waitForFunction((name) => document.querySelector("[aria-current]")?.textContent.includes(name), basename(files.image));
await page.getByText("The model's answer is hidden").waitFor();
seen.hidden = await page.locator("section[aria-label='Answer of the model'] table").count();
seen.listed = await page.locator("[aria-current] .soft").innerText();
await picture(page, "blind");
await page.evaluate(() => document.activeElement?.blur());
await page.keyboard.press("2");
await page.locator("section[aria-label='Answer of the model'] table").waitFor();
seen.blind = await page.locator("section[aria-label='Your review'] details").innerText();
await page.getByRole("switch", { name: "Blind read" }).uncheck();

// A file that is no image: a sentence.
await drop(page, [listing]);
await page.locator(".news", { hasText: /\S/ }).waitFor();
seen.refused = await page.locator(".news").innerText();
await page.context().close();
seen.errors = seen.errors.filter((text) => !text.includes("422"));  // the browser's own note of it

// A review list: what each is filed as, its labels by number, and how far one is.
page = await open({});
await page.getByLabel("List").selectOption({ index: 1 });
await page.getByText("on the list").waitFor();
seen.places = await page.locator(".list li").count();
await page.locator(".list li button").first().click();
await page.locator(".filed").waitFor();
seen.filed = await page.locator(".filed").innerText();
await page.waitForTimeout(400);
await picture(page, "list");
await check(page, "list");
await page.getByLabel("Your name or initials").fill("A. Reader");
await page.evaluate(() => document.activeElement?.blur());
await page.keyboard.press("1");
await page.getByText("Saved.").waitFor();
await page.keyboard.press("j");
await page.locator("li:nth-child(2) [aria-current]").waitFor();
await page.waitForFunction(() => document.querySelector("[aria-label=List]").textContent.includes("1 of "));
seen.done = await page.getByLabel("List").locator("option").nth(1).innerText();
await page.getByRole("switch", { name: "Blind read" }).check();
await page.keyboard.press("j");
await page.getByText("The model's answer is hidden").waitFor();
seen.nameless = await page.locator("[aria-current] .name").innerText();
await page.context().close();

// By keys alone: to a case, its label, the next.
page = await open({});
await page.locator(".list li button").first().waitFor();
for (let n = 0; n < 40; n += 1) {
  await page.keyboard.press("Tab");
  if (await page.evaluate(() => document.activeElement?.matches(".list li button"))) break;
}
await page.keyboard.press("Enter");
await page.locator("canvas").waitFor();
await page.keyboard.press("j");
await page.waitForTimeout(400);
seen.keys = await page.locator("[aria-current]").count();
await page.context().close();

// In the dark, and on a phone.
for (const [name, options] of Object.entries({
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
})) {
  page = await open(options);
  await page.locator(".list li button").first().click();
  await page.locator("section[aria-label='Answer of the model'] h2").waitFor();
  await page.waitForTimeout(500);
  await picture(page, name);
  await check(page, name);
  await page.context().close();
}

// The interface, to read.
page = await open({});
await page.goto(new URL("/docs", page.url()).href);
await picture(page, "interface");
await check(page, "interface");
await page.context().close();
await browser.close();
console.log(JSON.stringify(seen));
