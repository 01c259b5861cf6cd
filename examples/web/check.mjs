// Opens the page in a headless Chromium, waits until it has trained, and fails unless every optimizer's network
// recognises enough of the held-out digits. `node check.mjs --help` lists options.

import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const USAGE = `Usage: node check.mjs [options]

  --browser PATH      the Chromium or Chrome to run (default: /usr/bin/chromium)
  --accuracy PERCENT  what every optimizer must reach on held-out digits (default: 95)
  --screenshot PATH   where to put a picture of the page (default: web.png)
  --timeout SECONDS   for the whole training (default: 600)
  --gpu               the machine's GPU instead of SwiftShader, a software one
  --help              print this`;

const { values: options } = parseArgs({
  options: {
    browser: { type: "string", default: "/usr/bin/chromium" },
    accuracy: { type: "string", default: "95" },
    screenshot: { type: "string", default: "web.png" },
    timeout: { type: "string", default: "600" },
    gpu: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit();
}

// Chromium has no sandbox as root, and our own page needs none.
const ARGUMENTS = ["--no-sandbox", "--enable-unsafe-webgpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-quic"];
const SOFTWARE = ["--use-webgpu-adapter=swiftshader"];

const server = await serve(0);
const browser = await chromium.launch({
  executablePath: options.browser,
  args: options.gpu ? ARGUMENTS : [...ARGUMENTS, ...SOFTWARE],
});
try {
  const problems = await check(await browser.newPage({ viewport: { width: 960, height: 800 } }));
  problems.forEach((problem) => console.error(`FAILED: ${problem}`));
  if (problems.length === 0) console.log("ok");
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}

/// What is wrong.
async function check(page) {
  const problems = [];
  page.on("pageerror", (error) => problems.push(`the page threw: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`the console says: ${message.text()}`);
  });
  await page.goto(`http://localhost:${server.address().port}`);
  const ended = () => ["done", "failed"].includes(document.body.dataset.state);
  await page.waitForFunction(ended, null, { timeout: 1000 * Number(options.timeout), polling: 200 })
    .catch(() => problems.push(`not done after ${options.timeout} s`));
  await page.screenshot({ path: options.screenshot });

  console.log(await page.textContent("#adapter"));
  console.log(await page.textContent("#status"));
  if (await page.getAttribute("body", "data-state") !== "done") problems.push("the training has not ended well");
  const rows = await page.$$eval("#methods tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  if (rows.length === 0) problems.push("there are no results");
  for (const [name, epoch, accuracy, loss, speed] of rows) {
    console.log(`${name}: epoch ${epoch}, recognises ${accuracy}, loss ${loss}, ${speed} steps/s`);
    if (!(Number.parseFloat(accuracy) > Number(options.accuracy))) {
      problems.push(`${name} recognises ${accuracy}, not more than ${options.accuracy} %`);
    }
  }
  return problems;
}
