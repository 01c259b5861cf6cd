// Trains epoch by epoch and shows the progress. Scripts can wait for `document.body.dataset.state`: `training`, `done` or
// `failed`.

import { draw, picture } from "./chart.js";
import load, { Race } from "./pkg/hesscale_web.js";

const EPOCHS = 40;
/// Held-out digits that are shown, and the method whose reading is.
const SHOWN = 18;
const READER = 1;

const ACCURACY = {
  ticks: [0.8, 0.85, 0.9, 0.95, 1],
  label: (value) => `${100 * value}`,
  place: (value) => (value - 0.8) / 0.2,
};
const LOSS = {
  ticks: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  label: (value) => `${value}`,
  place: (value) => Math.log(value / 0.003) / Math.log(1000),
};

const get = (id) => document.getElementById(id);
/// Of each method: its points, and its speed in each epoch.
let methods = [];
const wanted = { paused: false, restart: false };

async function main() {
  if (!navigator.gpu) throw new Error("this browser has no WebGPU (or the page is neither on https nor on localhost)");
  get("adapter").textContent = await adapter();
  await load();
  get("pause").onclick = () => pause(!wanted.paused);
  get("again").onclick = () => {
    wanted.restart = true;
    pause(false);
  };
  get("again").disabled = false;
  window.onresize = show;
  matchMedia("(prefers-color-scheme: dark)").onchange = show;

  for (let seed = 0; ; seed++) {
    wanted.restart = false;
    await run(await Race.start(seed));
    while (!wanted.restart) await frame();
  }
}

/// One run, until it ends or another is started.
async function run(race) {
  state("training", "getting shaders ready");
  methods = race.methods.map((name) => ({ name, points: [], speeds: [] }));
  rows();
  const shown = digits(race);
  get("pause").disabled = false;
  for (let epoch = 0; epoch <= EPOCHS; epoch++) {
    for (const [index, method] of methods.entries()) {
      if (epoch > 0) {
        const begin = performance.now();
        const steps = await race.train(index, epoch);
        method.speeds.push(1000 * steps / (performance.now() - begin));
      }
      method.points.push(await race.evaluate(index));
    }
    shown(await race.read(READER, SHOWN));
    show();
    state("training", `epoch ${epoch} of ${EPOCHS}`);
    do await frame(); while (wanted.paused && !wanted.restart);
    if (wanted.restart) return race.free();
  }
  race.free();
  get("pause").disabled = true;
  state("done", `done: ${EPOCHS} epochs`);
}

function show() {
  const curves = (quantity) =>
    methods.map(({ points }, index) => ({ color: `--method-${index}`, values: points.map((point) => point[quantity]) }));
  draw(get("accuracy"), curves("test_accuracy"), EPOCHS, ACCURACY);
  draw(get("loss"), curves("train_loss"), EPOCHS, LOSS);
  methods.forEach(({ points, speeds }, index) => {
    const { test_accuracy, train_loss } = points.at(-1);
    const cells = get("methods").rows[index].cells;
    cells[1].textContent = points.length - 1;
    cells[2].textContent = `${(100 * test_accuracy).toFixed(1)} %`;
    cells[3].textContent = train_loss.toPrecision(3);
    cells[4].textContent = speeds.length === 0 ? "" : median(speeds).toFixed(0);
  });
}

/// A row for each method.
function rows() {
  get("methods").replaceChildren(...methods.map(({ name }, index) => {
    const row = document.createElement("tr");
    row.style.setProperty("--color", `var(--method-${index})`);
    for (let column = 0; column < 5; column++) row.insertCell();
    row.cells[0].textContent = name;
    return row;
  }));
}

/// Shows some digits; what comes back shows what was read in them.
function digits(race) {
  const [pixels, labels] = [race.pixels(SHOWN), race.labels(SHOWN)];
  get("reader").textContent = methods[READER].name;
  const boxes = Array.from(labels, (label, index) => {
    const box = document.createElement("div");
    const canvas = document.createElement("canvas");
    picture(canvas, 8, pixels.subarray(64 * index, 64 * (index + 1)));
    box.append(canvas, document.createElement("span"));
    box.title = `a ${label}`;
    return box;
  });
  get("digits").replaceChildren(...boxes);
  return (read) => boxes.forEach((box, index) => {
    box.lastChild.textContent = read[index];
    box.className = read[index] === labels[index] ? "digit" : "digit wrong";
  });
}

/// The browser's description of its adapter.
async function adapter() {
  const { info } = (await navigator.gpu.requestAdapter()) ?? {};
  if (!info) throw new Error("this browser has WebGPU, but no adapter for it");
  const words = [info.vendor, info.architecture, info.description].filter((word) => word);
  return `adapter: ${words.join(", ") || "one that the browser does not name"}`;
}

function pause(paused) {
  wanted.paused = paused;
  get("pause").textContent = paused ? "Go on" : "Pause";
}

function state(state, text) {
  document.body.dataset.state = state;
  get("status").textContent = text;
}

/// The median, to reduce the effect of other load.
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const frame = () => new Promise(requestAnimationFrame);

main().catch((error) => {
  state("failed", `failed: ${error.message ?? error}`);
  get("status").parentElement.classList.add("failed");
});
