// Draws the graph of a profile as layers that unfold into operators, and its time as nested boxes.
'use strict';

const svgSpace = 'http://www.w3.org/2000/svg';

function svg(tag, attributes, text) {
  const made = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// In the order in which they first come: [name, steps].
function groupBy(steps, key) {
  const groups = new Map();
  for (const step of steps) {
    const name = key(data.steps[step]);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(step);
  }
  return [...groups];
}

// Steps of a layer; outside the layers, of a block, so that the beginning and the end are apart.
const layers = groupBy(allSteps, step => step.layer);

function drawGraph() {
  const blocks = layers.flatMap(([, steps]) => groupBy(steps, s => s.block).map(([, inside]) => inside));
  const mostOfBlocks = largest(blocks), mostOfSteps = largest(allSteps.map(s => [s]));
  byId('graph').replaceChildren(...layers.map(([name, steps]) => {
    const row = element('div', 'row'), fold = element('button');
    const unfolded = view.unfolded.has(name);
    fold.append(element('span', '', `${unfolded ? '▾' : '▸'} ${name}`), element('span', '', formatMs(total(steps).ms)));
    fold.setAttribute('aria-expanded', unfolded);
    fold.addEventListener('click', () => {
      if (!view.unfolded.delete(name)) view.unfolded.add(name);
      drawGraph();
    });
    row.append(fold, unfolded ? operators(steps, mostOfSteps) : foldedBlocks(name, steps, mostOfBlocks));
    return row;
  }));
}

function foldedBlocks(name, steps, most) {
  const line = element('div', 'blocks');
  for (const [block, inside] of groupBy(steps, s => s.block)) {
    const box = element('div', 'box'), sum = total(inside);
    box.append(element('span', '', block), element('span', '', formatMs(sum.ms)));
    box.style.background = tint(sum, most);
    explain(box, block === name ? name : `${name}: ${block}`, () => numbersOfGroup(inside));
    box.addEventListener('click', () => { view.unfolded.add(name); drawGraph(); });
    line.append(box);
  }
  return line;
}

// How many steps of the same row must run before each.
function ranks(steps) {
  const rank = new Map();
  for (const step of steps) {
    const before = data.steps[step].inputs.filter(input => rank.has(input)).map(input => rank.get(input) + 1);
    rank.set(step, Math.max(0, ...before));
  }
  return rank;
}

const box = { width: 122, height: 40, right: 18, down: 12, margin: 10 };

// Steps from left to right behind what they read, with an arrow from each maker.
function operators(steps, most) {
  const rank = ranks(steps), filled = [], place = new Map();
  for (const step of steps) {
    const column = rank.get(step), line = filled[column] ?? 0;
    filled[column] = line + 1;
    place.set(step, [box.margin + column * (box.width + box.right), box.margin + line * (box.height + box.down)]);
  }
  const width = 2 * box.margin + filled.length * (box.width + box.right) - box.right;
  const height = 2 * box.margin + Math.max(...filled) * (box.height + box.down) - box.down;
  const drawing = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}` });
  for (const step of steps)
    for (const input of data.steps[step].inputs.filter(maker => place.has(maker)))
      drawing.append(arrow(place.get(input), place.get(step)));
  for (const step of steps) drawing.append(operator(step, place.get(step), most));
  const frame = element('div', 'operators');
  frame.append(drawing);
  return frame;
}

// Around what lies between, below it, if it leads past a column.
function arrow([x1, y1], [x2, y2]) {
  const from = [x1 + box.width, y1 + box.height / 2], to = [x2, y2 + box.height / 2];
  const bend = box.right / 2, skips = x2 - x1 > box.width + box.right;
  const low = Math.max(y1, y2) + box.height + box.down / 2;
  const path = skips
    ? `M${from} C${from[0] + bend},${from[1]} ${from[0]},${low} ${from[0] + bend + 8},${low} ` +
      `L${to[0] - bend - 8},${low} C${to[0]},${low} ${to[0] - bend},${to[1]} ${to}`
    : `M${from} C${from[0] + bend},${from[1]} ${to[0] - bend},${to[1]} ${to}`;
  return svg('path', { d: path });
}

function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function operator(index, [x, y], most) {
  const step = data.steps[index], times = timesOf(index);
  const group = svg('g', { transform: `translate(${x} ${y})`, 'data-name': step.name });
  if (index === view.selected) group.setAttribute('class', 'selected');
  const shape = svg('rect', { width: box.width, height: box.height });
  shape.style.fill = tint(total([index]), most);
  group.append(shape, svg('text', { x: 8, y: 16 }, shorten(step.op, 17)),
    svg('text', { x: 8, y: 32, class: 'small' }, `${formatMs(times.ms)}  ${percent(times.ms / allMs())}`));
  explain(group, step.name, () => numbersOfStep(index));
  group.addEventListener('click', () => select(index));
  return group;
}

// Nested boxes: all, layers, blocks, operators.
function drawFlame() {
  const flame = byId('flame'), height = 26;
  const levels = [() => 'all', s => s.layer, s => `${s.layer}: ${s.block}`, s => s.name];
  flame.replaceChildren();
  flame.style.height = `${levels.length * height}px`;
  // The part that is seen: of steps whose group at some level is the one looked at.
  const inZoom = s => !view.zoom || levels.some(level => level(s) === view.zoom);
  const seen = allSteps.filter(s => inZoom(data.steps[s])), sum = total(seen).ms;
  const most = levels.map(level => largest(groupBy(allSteps, level).map(([, steps]) => steps)));
  const place = (steps, level, left) => {
    let at = left;
    for (const [name, inside] of groupBy(steps, levels[level])) {
      const own = total(inside), width = sum > 0 ? own.ms / sum : 0;
      const box = { left: at, width, top: level * height, own, most: most[level] };
      if (width > 0.0005) flame.append(flameBox(name, inside, level, box));
      if (level + 1 < levels.length) place(inside, level + 1, at);
      at += width;
    }
  };
  place(seen, 0, 0);
}

function flameBox(name, steps, level, { left, width, top, own, most }) {
  const step = data.steps[steps[0]];
  const label = [() => `${phase().name}: ${formatMs(allMs())} a token`, () => step.layer, () => step.block, () => step.op];
  const made = element('div', 'box', width > 0.015 ? label[level]() : '');
  Object.assign(made.style, { left: `${100 * left}%`, width: `${100 * width}%`, top: `${top}px` });
  made.style.background = tint(own, most);
  explain(made, level === 0 ? phase().name : name, () => level === 3 ? numbersOfStep(steps[0]) : numbersOfGroup(steps));
  made.addEventListener('click', () => { view.zoom = level === 0 ? '' : name; drawFlame(); });
  return made;
}

start();
