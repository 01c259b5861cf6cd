// Runs the exported jobs on Dawn and compiles every shader text with Tint.
//
//     node dawn.mjs <directory of the export> <file for results> <file for Tint's verdicts> <version of the driver>
//
// src/portability/export.rs defines the export, record.rs beside it the result files. Work that they already record for this stack is
// not repeated. `cargo xtask portability` calls this script.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);

/** Of the npm package, which Dawn's and Tint's go with. */
const VERSION = JSON.parse(readFileSync("package.json", "utf8")).dependencies.webgpu;

/** Extensions of WGSL, by the feature that a device must have. */
const FEATURES = { f16: "shader-f16", subgroups: "subgroups" };

/** max|got − want| / max|want|, or the plain difference where all of `want` is zero. Infinite for NaN. */
export function relativeMaxNorm(got, want) {
  if (got.length !== want.length) return Infinity;
  let [worst, scale] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    if (Number.isNaN(difference)) return Infinity;
    worst = Math.max(worst, difference);
    scale = Math.max(scale, Math.abs(want[i]));
  }
  return scale === 0 ? worst : worst / scale;
}

/** A device, and its shaders and pipelines by file. */
class Stack {
  constructor(gpu, adapter, device, directory) {
    // Keep `gpu` alive: Dawn ends with it.
    Object.assign(this, { gpu, adapter, device, directory, pipelines: new Map() });
  }

  static async open(directory) {
    const gpu = create([]);
    const adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error("Dawn finds no adapter");
    const requiredFeatures = Object.values(FEATURES).filter((feature) => adapter.features.has(feature));
    const device = await adapter.requestDevice({ requiredFeatures });
    return new Stack(gpu, adapter, device, directory);
  }

  get name() {
    const { vendor, architecture, device, description } = this.adapter.info;
    return ["Dawn", VERSION, vendor, architecture, device, description].filter(Boolean).join(" ");
  }

  /** Which of these extensions the device has not. */
  lacks(extensions) {
    return extensions.filter((name) => !this.device.features.has(FEATURES[name])).join(" ");
  }

  /** Runs `work`; what Dawn has against it is thrown. */
  async guarded(work) {
    this.device.pushErrorScope("validation");
    this.device.pushErrorScope("out-of-memory");
    const result = await work();
    const errors = [await this.device.popErrorScope(), await this.device.popErrorScope()];
    const error = errors.find(Boolean);
    if (error) throw new Error(error.message);
    return result;
  }

  /** What Tint says against a text; nothing if all is well. */
  async faults(code) {
    this.device.pushErrorScope("validation");
    const module = this.device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const refused = await this.device.popErrorScope();
    const faults = messages.filter((message) => message.type === "error").map((message) => message.message);
    return faults.length > 0 ? faults.join("; ") : (refused?.message ?? "");
  }

  pipeline(file, bindings) {
    if (!this.pipelines.has(file)) {
      const { device } = this;
      const entries = bindings.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
      const layout = device.createBindGroupLayout({ entries });
      const module = device.createShaderModule({ code: readFileSync(join(this.directory, "texts", file), "utf8") });
      const pipeline = device.createComputePipeline({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      this.pipelines.set(file, { layout, pipeline });
    }
    return this.pipelines.get(file);
  }

  /** Runs a job; the worst error relative to its bound, as `[error, name]` of each result. */
  async run(job, blob) {
    const { device } = this;
    const made = [];
    const buffer = (size, usage, bytes) => {
      const buffer = device.createBuffer({ size, usage });
      made.push(buffer);
      if (bytes) device.queue.writeBuffer(buffer, 0, bytes);
      return buffer;
    };
    const part = (place) => place && blob.subarray(place[0], place[0] + place[1]);
    const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const { UNIFORM, COPY_DST, MAP_READ } = GPUBufferUsage;
    try {
      const buffers = job.buffers.map(({ size, data }) => buffer(size, storage, part(data)));
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { shader, bindings, uniforms, resources, grid } of job.dispatches) {
        const { layout, pipeline } = this.pipeline(shader, bindings);
        const written = (bytes) => ({ buffer: buffer(bytes.length, UNIFORM | COPY_DST, Uint8Array.from(bytes)) });
        const given = ([index, offset, size]) => ({ buffer: buffers[index], offset, size });
        const bound = [...uniforms.map(written), ...resources.map(given)];
        const entries = bound.map((resource, binding) => ({ binding, resource }));
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
        pass.dispatchWorkgroups(...grid);
      }
      pass.end();
      const size = job.expected.reduce((sum, { size }) => sum + size, 0);
      const staging = buffer(size, MAP_READ | COPY_DST);
      let at = 0;
      for (const expected of job.expected) {
        encoder.copyBufferToBuffer(buffers[expected.buffer], expected.offset, staging, at, expected.size);
        at += expected.size;
      }
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const all = new Float32Array(staging.getMappedRange().slice(0));
      at = 0;
      return job.expected.map(({ name, size, bound, values }) => {
        const got = all.subarray(at, (at += size / 4));
        // Copied, so that it starts a buffer of its own; nothing stands for zeros.
        const want = values ? new Float64Array(part(values).slice().buffer) : new Float64Array(got.length);
        return { name, bound, error: relativeMaxNorm(got, want) };
      });
    } finally {
      made.forEach((buffer) => buffer.destroy());
    }
  }
}

/** What became of each piece of work: src/portability/record.rs. */
class Record {
  constructor(file, stack) {
    const [head, ...lines] = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    const passed = head === `# ${stack}` ? lines.filter((line) => /^[^\t]+\t[\d.e+-]*\d[\d.e+-]*\t$/.test(line)) : [];
    this.passed = new Set(passed.map((line) => line.split("\t")[0]));
    this.file = file;
    this.faults = 0;
    writeFileSync(file, [`# ${stack}`, ...passed, ""].join("\n"));
  }

  /** `error` is a number, or `-` where something is lacking. */
  add(key, error, fault = "") {
    appendFileSync(this.file, `${key}\t${fault && error !== "-" ? "NaN" : error}\t${fault.replace(/[\n\t]/g, " ")}\n`);
    if (fault && error !== "-") {
      this.faults += 1;
      console.log(`FAULT ${fault}`);
    }
  }
}

/** The lines of a list, in fields; the third are extensions. */
function list(file) {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => line.split("\t")).map(([key, name, needs]) => ({ key, name, needs: needs.split(" ").filter(Boolean) }));
}

/** That what is wrong would be noticed, here and by Dawn. */
async function tryOut(stack, job, blob) {
  const uneven = `@group(0) @binding(0) var<storage, read_write> a: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
      if (a[i] > 0.0) { workgroupBarrier(); }
    }`;
  if (!(await stack.faults(uneven))) throw new Error("Tint took a barrier in control flow that is not uniform");
  if (await stack.faults(uneven.replace("a[i] > 0.0", "true"))) throw new Error("Tint refused a good shader");
  if (relativeMaxNorm([1, NaN], [1, 2]) <= 1 || relativeMaxNorm([1, 2.1], [1, 2]) <= 1e-5) {
    throw new Error("the comparison notices nothing");
  }
  const wrong = blob.slice();
  const [[at], view] = [job.expected[0].values, new DataView(wrong.buffer)];
  view.setFloat64(at, view.getFloat64(at, true) + 1, true);
  const results = await stack.guarded(() => stack.run(job, wrong));
  const noticed = results[0].error > results[0].bound && results[0].error < 10;
  if (!noticed) throw new Error("a result that must not be was not noticed");
}

async function main([directory, resultsFile, tintFile, driver]) {
  const stack = await Stack.open(directory);
  console.log(stack.name);

  const tint = new Record(tintFile, `Tint ${VERSION}`);
  for (const { key, name, needs } of list(join(directory, "texts.tsv")).filter(({ key }) => !tint.passed.has(key))) {
    const lacking = stack.lacks(needs);
    const fault = !lacking && (await stack.faults(readFileSync(join(directory, "texts", name), "utf8")));
    if (lacking) tint.add(key, "-", lacking);
    else tint.add(key, 0, fault && `${name}: ${fault}`);
  }

  const record = new Record(resultsFile, `${stack.name}${driver}`);
  const jobs = list(join(directory, "jobs.tsv"));
  const read = ({ key }) => {
    const file = join(directory, "jobs", key);
    // Not as a `Buffer`, whose slices are views.
    return [JSON.parse(readFileSync(`${file}.json`, "utf8")), new Uint8Array(readFileSync(`${file}.bin`))];
  };
  await tryOut(stack, ...read(jobs.find(({ needs }) => needs.length === 0)));
  for (const [index, { key, name, needs }] of jobs.entries()) {
    if (record.passed.has(key)) continue;
    const lacking = stack.lacks(needs);
    if (lacking) {
      record.add(key, "-", lacking);
      continue;
    }
    const [job, blob] = read({ key });
    let [error, fault] = [0, ""];
    try {
      for (const result of await stack.guarded(() => stack.run(job, blob))) {
        error = Math.max(error, result.error);
        if (!(result.error <= result.bound)) fault ||= `${name}: ${result.name}: ${result.error} > ${result.bound}`;
      }
    } catch (refusal) {
      fault = `${name}: ${refusal.message}`;
    }
    record.add(key, error, fault);
    if (index % 100 === 99) console.log(`${index + 1} of ${jobs.length} jobs`);
  }
  // Dawn's threads would keep Node alive.
  process.exit(tint.faults + record.faults > 0 ? 1 : 0);
}

await main(process.argv.slice(2));
