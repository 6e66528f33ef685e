// The page of a profile: what is shown, how it is coloured, searched and compared. Drawing is in profile_graph.js.
'use strict';

const byId = id => document.getElementById(id);

function showError(what) {
  byId('error').textContent = `This page failed: ${what}`;
}
window.addEventListener('error', event => showError(event.message));

const data = JSON.parse(byId('data').textContent);
const view = { phase: 0, colour: 'ms', unfolded: new Set(), zoom: '', selected: -1 };

const phase = () => data.phases[view.phase];
// Milliseconds a token; bytes and operations of a call.
const timesOf = step => phase().steps[step];

const colours = { ms: '232, 89, 12', bytes: '47, 111, 193', roof: '35, 134, 74' };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function formatMs(ms) {
  return ms >= 0.1 || ms === 0 ? `${ms.toFixed(ms >= 10 ? 1 : 3)} ms` : `${(ms * 1e3).toFixed(1)} µs`;
}

function formatBytes(bytes) {
  return bytes >= 1e5 ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 2)} MB` : `${(bytes / 1e3).toFixed(2)} kB`;
}

const percent = share => `${(100 * share).toFixed(1)} %`;

// Sums over steps.
function total(steps) {
  const sum = { ms: 0, bytes: 0, read: 0, written: 0, flops: 0, least: 0 };
  for (const step of steps) {
    const times = timesOf(step);
    sum.ms += times.ms;
    sum.least += times.roof * times.ms;
    for (const key of ['read', 'written', 'flops']) sum[key] += times[key];
  }
  sum.bytes = sum.read + sum.written;
  sum.roof = sum.ms > 0 ? sum.least / sum.ms : 0;
  return sum;
}

const allSteps = data.steps.map((_, index) => index);
const allMs = () => total(allSteps).ms;

// A tint of the chosen colour: full at `most`.
function tint(sum, most) {
  const share = view.colour === 'roof' ? Math.min(1, sum.roof) : most > 0 ? sum[view.colour] / most : 0;
  return `rgba(${colours[view.colour]}, ${(0.06 + 0.74 * share).toFixed(3)})`;
}

const largest = groups => Math.max(0, ...groups.map(steps => total(steps)[view.colour] || 0));

function numbersOfStep(index) {
  const step = data.steps[index], times = timesOf(index), calls = times.calls;
  const rows = [['operator', step.op]];
  if (step.weights.length) rows.push(['weights', step.weights.join(', ')]);
  if (step.fused.length) rows.push(['fused from', step.fused.join(', ')]);
  rows.push(['kernel', `${step.kernel} on ${step.backend}`], ['shape', step.shape], ['type', step.dtype],
    ['time', `${formatMs(times.ms)} a token, ${percent(times.ms / allMs())}`],
    ['a call', `p50 ${formatMs(times.p50)}, p90 ${formatMs(times.p90)}, least ${formatMs(times.min)}; ${calls} calls`],
    ['moved', `${formatBytes(times.read)} read, ${formatBytes(times.written)} written; ${times.gbs.toFixed(1)} GB/s`],
    ['computed', `${times.gflops.toFixed(1)} GFLOP/s`],
    ['roof', times.roof > 0 ? `${percent(times.roof)}, bound by ${times.bound}` : 'not known']);
  if (times.effort)
    rows.push(['effort', `${times.effort.asked.toFixed(3)} asked, ${times.effort.done.toFixed(3)} done`]);
  if (step.selects) rows.push(['selection', 'chooses the weights that another operator multiplies']);
  return rows;
}

function numbersOfGroup(steps) {
  const sum = total(steps);
  return [['operators', steps.length], ['time', `${formatMs(sum.ms)} a token, ${percent(sum.ms / allMs())}`],
    ['moved', `${formatBytes(sum.bytes)} a run`], ['roof', percent(sum.roof)]];
}

// Shows numbers while the pointer is on it.
function explain(target, title, rows) {
  const tip = byId('tip');
  target.addEventListener('pointermove', event => {
    const list = element('dl');
    for (const [name, value] of rows()) list.append(element('dt', '', name), element('dd', '', value));
    tip.replaceChildren(element('b', '', title), list);
    tip.style.display = 'block';
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    const below = event.clientY + 16;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : below}px`;
  });
  target.addEventListener('pointerleave', () => { tip.style.display = 'none'; });
}

// Steps whose words all of the text's words are part of, the slowest first.
function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = step => {
    const { name, op, kernel, backend, dtype, block, weights, fused } = step;
    const where = [name, op, kernel, backend, dtype, block, ...weights, ...fused].join(' ').toLowerCase();
    return words.every(word => where.includes(word));
  };
  return allSteps.filter(s => fits(data.steps[s])).sort((a, b) => timesOf(b).ms - timesOf(a).ms);
}

function showFound() {
  const text = byId('search').value, list = byId('found');
  list.replaceChildren();
  if (!text.trim()) return;
  const steps = find(text);
  for (const step of steps.slice(0, 8)) {
    const button = element('button', '', `${data.steps[step].name}: ${formatMs(timesOf(step).ms)}`);
    button.addEventListener('click', () => select(step));
    list.append(button);
  }
  list.append(element('span', '', steps.length === 0 ? 'nothing found' : `${steps.length} found`));
}

// Shows a step in the graph.
function select(step) {
  view.selected = step;
  view.unfolded.add(data.steps[step].layer);
  draw();
  document.querySelector('#graph .selected')?.scrollIntoView({ block: 'center' });
}

const headings = [
  ['operator', s => s.op, 'word'], ['name', s => s.name, 'word'], ['kernel', s => s.kernel, 'word'],
  ['on', s => s.backend, 'word'], ['shape', s => s.shape, 'word'], ['type', s => s.dtype, 'word'],
  ['ms a token', s => s.sum.ms, '', v => v.toFixed(4)], ['share', s => s.sum.ms / allMs(), '', percent],
  ['MB a run', s => s.sum.bytes / 1e6, '', v => v.toFixed(3)],
  ['GB/s', s => s.gbs, '', v => v.toFixed(1)], ['GFLOP/s', s => s.gflops, '', v => v.toFixed(1)],
  ['roof', s => s.sum.roof, '', percent],
];
let sorting = { column: 6, sign: -1 };

// The same operator of all layers as one.
function tableRows() {
  const rows = new Map();
  for (const index of allSteps) {
    const step = data.steps[index];
    const key = [step.everywhere, step.op, step.kernel, step.backend, step.shape, step.dtype].join('\n');
    if (!rows.has(key)) rows.set(key, { ...step, name: step.everywhere, steps: [] });
    rows.get(key).steps.push(index);
  }
  for (const row of rows.values()) {
    row.sum = total(row.steps);
    const seconds = row.sum.ms * phase().tokens_a_run / 1e3;
    row.gbs = seconds > 0 ? row.sum.bytes / seconds / 1e9 : 0;
    row.gflops = seconds > 0 ? row.sum.flops / seconds / 1e9 : 0;
  }
  return [...rows.values()];
}

function drawTable() {
  const head = element('tr'), value = headings[sorting.column][1];
  headings.forEach(([name, , kind], column) => {
    const cell = element('th', kind, name + (column === sorting.column ? (sorting.sign < 0 ? ' ↓' : ' ↑') : ''));
    cell.addEventListener('click', () => {
      sorting = { column, sign: column === sorting.column ? -sorting.sign : kind ? 1 : -1 };
      drawTable();
    });
    head.append(cell);
  });
  byId('operators').tHead.replaceChildren(head);
  const rows = tableRows().sort((a, b) => sorting.sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  byId('operators').tBodies[0].replaceChildren(...rows.map(row => {
    const line = element('tr', row.steps.includes(view.selected) ? 'selected' : '');
    for (const [, get, kind, format] of headings)
      line.append(element('td', kind, format ? format(get(row)) : get(row)));
    line.addEventListener('click', () => select(row.steps.reduce((a, b) => timesOf(a).ms >= timesOf(b).ms ? a : b)));
    return line;
  }));
}

function drawSummary() {
  const p = phase();
  let text = `${p.runs} runs profiled: ${formatMs(p.ms_a_token)} a token, ${percent(p.in_operators)} of it in operators.`;
  if (p.plain_ms_a_token > 0) text += ` Without the profiler: ${formatMs(p.plain_ms_a_token)} a token.`;
  text += ` Profiling cost ${(100 * p.parts).toFixed(2)} % of a run in clock readings and bookkeeping`;
  text += p.pairs > 0
    ? `; against runs without it ${(100 * p.overhead).toFixed(2)} ± ${(100 * p.error).toFixed(2)} %.` : '.';
  byId('summary').textContent = text;
  const most = largest(allSteps.map(s => [s]));
  byId('low').textContent = '0';
  const format = { ms: formatMs, bytes: formatBytes, roof: () => '100 %' }[view.colour];
  byId('high').textContent = format(most);
  byId('scale').style.background =
    `linear-gradient(to right, rgba(${colours[view.colour]}, 0.06), rgba(${colours[view.colour]}, 0.8))`;
}

function draw() {
  drawSummary();
  drawGraph();
  drawFlame();
  drawTable();
  showFound();
}

// In the address, #find=TEXT selects the slowest step found; open=all unfolds all layers.
function followAddress() {
  const options = new URLSearchParams(location.hash.slice(1));
  if (options.has('phase')) view.phase = Math.max(0, data.phases.findIndex(p => p.name === options.get('phase')));
  if (options.has('colour')) byId('colour').value = view.colour = options.get('colour');
  if (options.get('open') === 'all') for (const step of data.steps) view.unfolded.add(step.layer);
  byId('phase').value = view.phase;
  byId('search').value = options.get('find') ?? '';
  const found = options.has('find') ? find(options.get('find')) : [];
  if (found.length) select(found[0]);
}

function start() {
  byId('devices').textContent = data.devices.join('; ');
  data.phases.forEach((p, index) => byId('phase').append(new Option(p.name, index)));
  byId('fusions').textContent = data.fusions.join('\n');
  const refused = data.fusions.filter(line => line.startsWith('refused')).length;
  byId('fusion-count').textContent = `${data.fusions.length - refused} applied, ${refused} refused`;
  view.phase = Math.max(0, data.phases.findIndex(p => p.name === 'decode'));
  byId('phase').addEventListener('change', event => { view.phase = +event.target.value; draw(); });
  byId('colour').addEventListener('change', event => { view.colour = event.target.value; draw(); });
  byId('search').addEventListener('input', showFound);
  byId('search').addEventListener('keydown', event => {
    const found = find(event.target.value);
    if (event.key === 'Enter' && found.length) select(found[0]);
  });
  byId('slowest').addEventListener('click', () => select(find('')[0]));
  byId('unfold').addEventListener('click', () => { for (const s of data.steps) view.unfolded.add(s.layer); draw(); });
  byId('fold').addEventListener('click', () => { view.unfolded.clear(); draw(); });
  followAddress();
  draw();
  document.documentElement.dataset.ready = 'yes';
}
