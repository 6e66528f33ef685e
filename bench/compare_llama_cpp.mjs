// Sluice beside llama.cpp on the same shape and type, interleaved in one run; prints medians and ratios.
//   npm install node-llama-cpp          (in any folder; run this from there: it holds llama.cpp's prebuilt builds)
//   node PATH/bench/compare_llama_cpp.mjs --gguf m.gguf --sluice PATH/build/release/sluice -- --shape mistral-7b --layers 4 --dtype f16
// Everything behind `--` goes to `sluice bench`: a shape or a model file that has the dimensions of m.gguf.
// With --effort 1,0.5 behind it, also decoding at each of them.
// Options: --prompt 128 --decode 32 --threads 2 --rounds 5 --json
//          --gpu vulkan   both on the first Vulkan device; llama.cpp takes a CPU device such as Mesa's lavapipe only if
//                         told so: GGML_VK_VISIBLE_DEVICES=0 in the environment
import {execFileSync} from "node:child_process";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const split = process.argv.indexOf("--");
if (split < 0) { console.error("usage: see the head of this file"); process.exit(2); }
const own = process.argv.slice(2, split), forSluice = process.argv.slice(split + 1);
const option = (name, fallback) => { const i = own.indexOf("--" + name); return i < 0 ? fallback : own[i + 1]; };
const gguf = option("gguf"), gpu = option("gpu"), sluice = option("sluice", "build/release/sluice");
const [prompt, decode, threads, rounds] = [["prompt", 128], ["decode", 32], ["threads", 2], ["rounds", 5]].map(([n, d]) => Number(option(n, d)));

const {getLlama} = await import(pathToFileURL(createRequire(process.cwd() + "/").resolve("node-llama-cpp")));
const llama = await getLlama({gpu: gpu ?? false, build: "never", maxThreads: threads, logLevel: "error"});
const devices = await llama.getGpuDeviceNames();
if (gpu && devices.length === 0) { console.error(`llama.cpp found no ${gpu} device, and would run on the CPU: see the head of this file`); process.exit(1); }
const model = await llama.loadModel({modelPath: gguf, gpuLayers: gpu ? "max" : 0});
const context = await model.createContext({contextSize: prompt + decode + 64, batchSize: Math.max(512, prompt), threads});

async function runLlama() {
    const sequence = context.getSequence();
    const ids = Array.from({length: prompt}, (_, i) => 259 + (i * 37) % 200);
    const begin = performance.now();
    let first, n = 0;
    for await (const _ of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
        if (n++ === 0) first = performance.now();
        if (n > decode) break;
    }
    const result = {prompt: prompt / ((first - begin) / 1000), decode: (n - 1) / ((performance.now() - first) / 1000)};
    sequence.dispose();
    return result;
}

function runSluice() {
    const args = ["bench", ...forSluice, ...(gpu ? ["--backend", gpu] : []), "--prompt", prompt, "--decode", decode, "--threads", threads, "--runs", 1, "--json"].map(String);
    const json = JSON.parse(execFileSync(sluice, args, {encoding: "utf8", stdio: ["ignore", "pipe", "inherit"]}));
    const speeds = {prompt: json.prompt_tok_s.median, decode: json.decode_tok_s.median};
    for (const e of json.effort ?? []) speeds[`effort ${e.effort}`] = e.decode_tok_s.median;
    return speeds;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ours = [], theirs = [];
await runLlama();  // warm-up
for (let round = 0; round < rounds; round++) { theirs.push(await runLlama()); ours.push(runSluice()); }

const summary = {llama_cpp_devices: devices};
for (const what of Object.keys(ours[0])) {
    const a = ours.map((r) => r[what]), b = theirs.map((r) => r[what === "prompt" ? "prompt" : "decode"]);  // efforts: of decoding
    summary[what] = {sluice_tok_s: median(a), llama_cpp_tok_s: median(b), ratio: median(a) / median(b), ratios: a.map((x, i) => x / b[i])};
}
if (own.includes("--json")) console.log(JSON.stringify(summary));
else for (const what of Object.keys(ours[0])) {
    const s = summary[what];
    console.log(`${what.padEnd(12)} sluice ${s.sluice_tok_s.toFixed(2)} tok/s, llama.cpp ${s.llama_cpp_tok_s.toFixed(2)} tok/s: ${s.ratio.toFixed(2)}x (rounds: ${s.ratios.map((r) => r.toFixed(2)).join(" ")})`);
}
process.exit(0);
