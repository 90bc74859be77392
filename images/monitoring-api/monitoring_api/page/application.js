// One application while it runs: its figures, what waits for what, and what ran when and where.
import { element, vector } from "./dom.js";
import { shown } from "./format.js";
import { TEXTS } from "./texts.js";

const STATES = ["pending", "running", "completed", "failed"];
const SHADES = 8;
const shades = new Map();

// Each name of a task has one colour, wherever it is drawn.
function shade(name) {
  if (!shades.has(name)) shades.set(name, shades.size % SHADES);
  return `--series-${shades.get(name)}`;
}

function coloured(made, name) {
  made.style.setProperty("--colour", `var(${shade(name)})`);
  return made;
}

function keys(names) {
  return element("ul", { class: "legend" }, names.map((name) =>
    element("li", {}, coloured(element("span", { class: "key", "aria-hidden": "true" }), name), name)));
}

function rows(title, heads, content) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
    element("table", {},
      element("thead", {}, element("tr", {}, heads.map((head, place) => element("th", { scope: "col", class: place ? "number" : false }, head)))),
      element("tbody", {}, content.map((row) => element("tr", {},
        row.map((cell, place) => element(place ? "td" : "th", place ? { class: "number" } : { scope: "row" }, String(cell))))))));
}

const figure = (title, text, colour = "text") =>
  element("article", { class: "panel stat sixth" }, element("h3", {}, title), element("p", { class: `figure ${colour}` }, text));

export function progress(answer) {
  const { totals } = answer;
  const ended = totals.completed + totals.failed;
  const all = ended + totals.pending + totals.running;
  const missed = Object.values(answer.deadlines).reduce((sum, { missed: count }) => sum + (count ?? 0), 0);
  const up = Object.values(answer.workers).filter((worker) => worker.up);
  const used = up.reduce((sum, worker) => sum + worker.computing_units_used, 0);
  const units = up.reduce((sum, worker) => sum + worker.computing_units, 0);
  const bar = element("progress", { max: Math.max(all, 1), value: ended, "aria-label": TEXTS.progress });
  const seconds = answer.started ? (answer.ended ?? Date.now() / 1000) - answer.started : 0;
  const tasks = Object.entries(answer.tasks).map(([name, states]) => {
    const spent = answer.durations.filter(({ task }) => task === name);
    const count = spent.reduce((sum, each) => sum + each.count, 0);
    const mean = count ? shown(spent.reduce((sum, each) => sum + each.sum, 0) / count, "s") : "";
    return [name, ...STATES.map((state) => states[state]), mean, answer.deadlines[name]?.missed ?? "", answer.resubmissions[name] ?? ""];
  });
  const workers = Object.entries(answer.workers).map(([name, worker]) =>
    [name, worker.up ? TEXTS.takesTasks : TEXTS.gone, `${worker.computing_units_used} / ${worker.computing_units}`, worker.architecture]);
  return element("div", { class: "panels" },
    figure(TEXTS.phase, TEXTS.phases[answer.phase] ?? answer.phase, { failed: "red", ended: "green" }[answer.phase]),
    figure(TEXTS.runsFor, shown(Math.max(seconds, 0), "s")),
    element("article", { class: "panel stat sixth" }, element("h3", {}, TEXTS.progress), element("p", { class: "figure" }, shown(all ? ended / all : 0, "percentunit")), bar),
    figure(TEXTS.failed, totals.failed, totals.failed ? "red" : "text"),
    figure(TEXTS.inUse, `${used} / ${units}`),
    figure(TEXTS.missed, missed, missed ? "orange" : "text"),
    element("article", { class: "panel wide" }, element("h3", {}, TEXTS.byName),
      rows(TEXTS.byName, [TEXTS.task, ...STATES.map((state) => TEXTS.states[state]), TEXTS.mean, TEXTS.late, TEXTS.again], tasks)),
    element("article", { class: "panel narrow" }, element("h3", {}, TEXTS.workers),
      rows(TEXTS.workers, [TEXTS.worker, TEXTS.state, TEXTS.units, TEXTS.architecture], workers)));
}

// Where each task stands: one line below the lowest of those that it reads from, near the middle of them. Tasks are in
// the order in which they were called, so that whatever one reads from comes before it.
export function layers(tasks) {
  const level = new Map();
  const lines = [];
  for (const task of tasks) {
    const at = task.reads.reduce((most, id) => Math.max(most, (level.get(id) ?? -1) + 1), 0);
    level.set(task.id, at);
    (lines[at] ??= []).push(task);
  }
  const places = new Map();
  lines.forEach((line, y) => {
    const middle = ({ reads }) => {
      const above = reads.filter((id) => places.has(id)).map((id) => places.get(id).x);
      return above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : 0;
    };
    line.map((task) => ({ task, wish: middle(task) }))
      .sort((one, two) => one.wish - two.wish)
      .forEach(({ task }, place) => places.set(task.id, { x: place - (line.length - 1) / 2, y }));
  });
  return places;
}

// The drawing of what stands at such places, `step` apart; a place's size is what `drawn` returns at it.
function drawing(places, [across, down], label, draw) {
  const all = [...places.values()];
  const left = Math.min(...all.map(({ x }) => x));
  const width = (Math.max(...all.map(({ x }) => x)) - left + 1) * across;
  const height = (Math.max(...all.map(({ y }) => y)) + 1) * down;
  const at = (id) => ({ x: (places.get(id).x - left + 0.5) * across, y: (places.get(id).y + 0.5) * down });
  const made = vector("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...draw(at));
  return element("div", { class: "scroll drawing", tabindex: "0", role: "group", "aria-label": label }, made);
}

const NODE = 8;

function single(answer) {
  const places = layers(answer.tasks);
  const label = TEXTS.graphOf(answer.tasks.length, STATES.map((state) => [state, answer.tasks.filter((task) => task.state === state).length]));
  return drawing(places, [28, 44], label, (at) => [
    // One path for all of them stays fluid.
    vector("path", { class: "edge", d: answer.tasks.flatMap((task) => task.reads.filter((id) => places.has(id)).map((id) => {
      const [from, to] = [at(id), at(task.id)];
      return `M${from.x} ${from.y + NODE}L${to.x} ${to.y - NODE}`;
    })).join("") }),
    ...answer.tasks.map((task) => {
      const { x, y } = at(task.id);
      const title = vector("title", {}, `${task.name} ${task.id}, ${TEXTS.states[task.state]}`);
      const shape = task.state === "failed"
        ? vector("rect", { class: "task failed", x: x - NODE, y: y - NODE, width: 2 * NODE, height: 2 * NODE }, title)
        : vector("circle", { class: `task ${task.state}`, cx: x, cy: y, r: NODE }, title);
      return coloured(shape, task.name);
    }),
  ]);
}

const BOX = { width: 190, height: 52 };

// Names in the place of tasks: those that read from one another, or from themselves, have lines that lead back.
function byName(answer) {
  const order = new Map(answer.names.map(({ name }, place) => [name, place]));
  const forward = answer.edges.filter(({ source, target }) => order.get(source) < order.get(target));
  const places = layers(answer.names.map(({ name }) => ({ id: name, reads: forward.filter(({ target }) => target === name).map(({ source }) => source) })));
  const label = TEXTS.graphOf(answer.called, STATES.map((state) => [state, answer.names.reduce((sum, name) => sum + name[state], 0)]));
  return drawing(places, [BOX.width + 60, BOX.height + 56], label, (at) => [
    ...answer.edges.filter(({ source, target }) => source !== target).flatMap(({ source, target, count }) => {
      const down = places.get(source).y < places.get(target).y;
      const [from, to] = [at(source), at(target)];
      const [start, end] = [from.y + (down ? 1 : -1) * BOX.height / 2, to.y + (down ? -1 : 1) * BOX.height / 2];
      const half = (start + end) / 2;
      return [
        vector("path", { class: down ? "edge" : "edge back", d: `M${from.x} ${start}C${from.x} ${half} ${to.x} ${half} ${to.x} ${end}` }),
        vector("text", { class: "count", x: (from.x + to.x) / 2 + 6, y: half }, `× ${count}`),
      ];
    }),
    ...answer.names.flatMap(({ name, ...states }) => {
      const { x, y } = at(name);
      const [left, top] = [x - BOX.width / 2, y - BOX.height / 2];
      const itself = answer.edges.find(({ source, target }) => source === name && target === name);
      const counts = STATES.filter((state) => states[state]).map((state) => `${states[state]} ${TEXTS.states[state]}`).join(", ");
      return [
        coloured(vector("rect", { class: "name", x: left, y: top, width: BOX.width, height: BOX.height, rx: 6 }, vector("title", {}, `${name}: ${counts}`)), name),
        vector("text", { class: "title", x: left + 12, y: top + 21 }, name.length > 22 ? `${name.slice(0, 21)}…` : name),
        vector("text", { class: "count", x: left + 12, y: top + 40 }, itself ? `${counts}; ↻ ${itself.count}` : counts),
      ];
    }),
  ]);
}

export function graph(answer) {
  const legend = keys(answer.names.map(({ name }) => name));
  if (!answer.names.length) return element("p", { class: "empty" }, TEXTS.noTasks);
  if (answer.tasks.length) return element("div", {}, legend, element("p", { class: "quiet" }, TEXTS.singly), single(answer));
  return element("div", {}, legend, element("p", { class: "quiet" }, TEXTS.together), byName(answer));
}

// The executions of one worker on as few lines as hold them side by side.
export function lanes(executions) {
  const ends = [];
  return executions.toSorted((one, two) => one.start - two.start).map((each) => {
    const free = ends.findIndex((end) => end <= each.start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = each.end ?? Infinity;
    return { ...each, lane };
  });
}

const LANE = 11;
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en", { hour12: false });

export function timeline(answer) {
  if (!answer.tasks.length) return element("p", { class: "empty" }, TEXTS.noExecutions);
  const start = answer.tasks.reduce((least, task) => Math.min(least, task.start), answer.time);
  const length = Math.max(answer.time - start, 0.001);
  const workers = Map.groupBy(answer.tasks, ({ worker }) => worker);
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const lines = [...workers].sort(([one], [two]) => one.localeCompare(two, "en", { numeric: true })).map(([worker, executions]) => {
    const placed = lanes(executions);
    const height = LANE * (1 + Math.max(...placed.map(({ lane }) => lane)));
    const running = executions.filter(({ end }) => end === null).length;
    const canvas = element("canvas", { class: "lanes", height, role: "img", "aria-label": TEXTS.ran(worker, executions.length - running, running) });
    canvas.style.setProperty("--height", `${height}px`);
    new ResizeObserver(() => {
      const width = canvas.clientWidth;
      if (canvas.width === width) return;
      canvas.width = width;
      const brush = canvas.getContext("2d");
      for (const { name, state, lane, start: from, end } of placed) {
        const left = ((from - start) / length) * width;
        const right = (((end ?? answer.time) - start) / length) * width;
        brush.fillStyle = read(state === "failed" ? "--red" : shade(name));
        brush.globalAlpha = end === null ? 0.5 : 1;
        brush.fillRect(left, lane * LANE, Math.max(right - left - 0.5, 1), LANE - 1);
      }
    }).observe(canvas);
    return element("tr", {}, element("th", { scope: "row" }, worker), element("td", {}, canvas));
  });
  const names = [...new Set(answer.tasks.map(({ name }) => name))];
  const ended = answer.tasks.filter(({ end }) => end !== null).length;
  return element("div", {}, keys(names),
    element("p", { class: "quiet" }, ended < answer.executions ? TEXTS.lastOf(ended, answer.executions) : TEXTS.allOf(ended)),
    element("table", { class: "live" }, element("tbody", {}, ...lines,
      element("tr", {}, element("td", {}), element("td", { class: "axis" }, element("span", {}, clock(start)), element("span", {}, clock(answer.time)))))));
}
