// The kinds of panel. Each takes what is described and what was answered, and returns an element.
import { element } from "./dom.js";
import { colour, legend, shown } from "./format.js";
import { listed } from "./table.js";
import { TEXTS } from "./texts.js";

// The value of now; null for a series that has ended.
function last(series, answer) {
  const [at, value] = series.points.at(-1) ?? [0, null];
  return at < answer.end - 2 * answer.step ? null : value;
}

function flat(panel, answer) {
  return answer.queries.flatMap((list, number) =>
    list.map((series) => ({ ...series, query: panel.queries[number], name: legend(panel.queries[number].legend, series.labels) })),
  );
}

function stat(panel, answer) {
  const series = flat(panel, answer)[0];
  const value = last(series, answer);
  const text = value === 0 && panel.options.zero ? panel.options.zero : shown(value, series.query.unit);
  return element("p", { class: `figure ${colour(panel.steps, value)}` }, text);
}

function bargauge(panel, answer) {
  const all = flat(panel, answer).map((series) => ({ ...series, value: last(series, answer) }));
  const most = Math.max(...all.map(({ value }) => value), 0) || 1;
  const rows = all.map((series) => {
    const bar = element("span", { class: `bar ${colour(panel.steps, series.value)}` });
    bar.style.setProperty("--share", Math.max(series.value, 0) / most);
    return element("tr", {}, element("th", { scope: "row" }, series.name), element("td", {}, bar),
      element("td", { class: "number" }, shown(series.value, series.query.unit)));
  });
  return element("table", { class: "bars" }, element("tbody", {}, rows));
}

function table(panel, answer) {
  const by = panel.options.by;
  const alone = panel.queries.length === 1;
  // Some records tell more of the same thing: what all have tells which row is meant.
  const all = by.filter((label) => answer.queries.every((list) => list.every(({ labels }) => label in labels)));
  const shared = all.length ? all : by;
  const rows = new Map();
  const more = new Set();
  answer.queries.forEach((list, number) => {
    for (const { labels, points } of list) {
      const key = JSON.stringify(alone ? labels : shared.map((label) => labels[label]));
      if (!rows.has(key)) rows.set(key, { labels: {}, values: [] });
      Object.assign(rows.get(key).labels, labels);
      rows.get(key).values[number] = points.at(-1)?.[1];
      if (alone) Object.keys(labels).forEach((label) => more.add(label));
    }
  });
  const labels = [...by, ...[...more].filter((label) => label !== "cluster" && !by.includes(label))];
  const heads = panel.queries.map((query, number) => ({ ...query, number })).filter((query) => query.legend);
  const sorted = [...rows.values()].map((row) => ({ ...row, key: labels.map((label) => row.labels[label]).join() }))
    .sort((one, two) => NATURAL.compare(one.key, two.key));
  const cells = (row) => [
    ...labels.map((label, place) => element(place ? "td" : "th", place ? {} : { scope: "row" }, linked(panel, label, row.labels))),
    ...heads.map((query) => element("td", { class: "number" }, shown(row.values[query.number], query.unit))),
  ];
  const head = element("thead", {}, element("tr", {},
    labels.map((label) => element("th", { scope: "col" }, label)),
    heads.map((query) => element("th", { scope: "col", class: "number" }, query.legend))));
  const longest = (label) => sorted.reduce((most, row) => ((row.labels[label] ?? "").length > most.length ? row.labels[label] : most), "");
  return listed(panel.title, head, sorted, cells, { labels: Object.fromEntries(labels.map((label) => [label, longest(label)])), values: sorted[0].values });
}

const NATURAL = new Intl.Collator("en", { numeric: true });

// The label that a row is known by leads to where more is shown of it.
function linked(panel, label, labels) {
  const value = labels[label] ?? "";
  if (!panel.link || label !== panel.options.key) return value;
  return element("a", { href: panel.link.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(labels[name] ?? "")) }, value);
}

// Runs of one value, each where it was in the range; between them there was nothing.
function states(panel, answer) {
  const length = answer.end - answer.start;
  const rows = flat(panel, answer).map((series) => {
    const runs = [];
    for (const [at, value] of series.points) {
      const before = runs.at(-1);
      if (before?.value === value && at - before.until < 1.5 * answer.step) before.until = at;
      else runs.push({ value, since: at, until: at });
    }
    const line = element("div", { class: "states" }, runs.map((run) => {
      const [text, shade] = panel.options.text[String(run.value)] ?? [String(run.value), colour(panel.steps, run.value)];
      const part = element("span", { class: `state ${shade}`, title: `${text}: ${clock(run.since)} – ${clock(run.until)}` });
      part.style.setProperty("--from", Math.max(run.since - answer.step - answer.start, 0) / length);
      part.style.setProperty("--to", (run.until - answer.start) / length);
      return part;
    }));
    const now = last(series, answer);
    const [text] = panel.options.text[String(now)] ?? [now === null ? "" : String(now)];
    return element("tr", {}, element("th", { scope: "row" }, series.name), element("td", {}, line), element("td", {}, text));
  });
  return element("table", { class: "timeline" }, element("tbody", {}, rows));
}

// Ticks of bytes are round in their own unit.
const BINARY_UNITS = new Set(["bytes", "binBps"]);
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

const clock = (seconds) => new Date(seconds * 1000).toLocaleString("en", { dateStyle: "medium", timeStyle: "short", hour12: false });

// Series have their points at the same times where they have any.
function columns(all, answer) {
  const times = [...new Set(all.flatMap((series) => series.points.map(([at]) => at)))].sort((one, two) => one - two);
  const place = new Map(times.map((at, index) => [at, index]));
  const values = all.map((series) => {
    const column = new Array(times.length).fill(null);
    for (const [at, value] of series.points) if (typeof value === "number") column[place.get(at)] = value;
    return column;
  });
  return [times, ...values];
}

function stacked(data) {
  const sum = data[0].map(() => 0);
  return [data[0], ...data.slice(1).map((column) => column.map((value, at) => (sum[at] += value ?? 0)))];
}

function timeseries(panel, answer, style) {
  const all = flat(panel, answer);
  const unit = all[0].query.unit;
  const plain = columns(all, answer);
  const data = panel.options.stack ? stacked(plain) : plain;
  const holder = element("div", { class: "graph", role: "img", "aria-label": `${panel.title}: ${all.map((series) => `${series.name} ${shown(last(series, answer), unit)}`).join(", ")}` });
  const list = element("ul", { class: "legend" }, all.map((series, number) => {
    const key = element("span", { class: "key", "aria-hidden": "true" });
    key.style.setProperty("--colour", `var(--series-${number % 8})`);
    return element("li", {}, key, `${series.name} `, element("b", {}, shown(last(series, answer), series.query.unit)));
  }));
  const read = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: read("--quiet"), grid: { stroke: read("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  let width = 0;
  const draw = () => {
    if (holder.clientWidth === width) return;
    width = holder.clientWidth;
    holder.replaceChildren();
    new window.uPlot({
      width,
      height: 180,
      legend: { show: false },
      cursor: { y: false, points: { size: 5 } },
      scales: { x: { range: [answer.start, answer.end] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, size: 28, space: 70, values: (_, times) => times.map((at) => tick(at, answer)) }, { ...axis, size: 70, ...(BINARY_UNITS.has(unit) ? { incrs: POWERS } : {}), values: (_, values) => values.map((value) => shown(value, unit)) }],
      // Each colour fills what is between its line and the one below.
      bands: panel.options.stack ? all.slice(1).map((_, number) => ({ series: [number + 2, number + 1] })) : [],
      series: [{}, ...all.map((series, number) => ({
        label: series.name,
        stroke: read(`--series-${number % 8}`),
        width: 1.5,
        fill: panel.options.stack ? `${read(`--series-${number % 8}`)}33` : undefined,
        points: { show: false },
      }))],
    }, data, holder);
  };
  // It is as wide as its place, which it has once it is shown.
  new ResizeObserver(draw).observe(holder);
  const many = { class: "scroll many", tabindex: "0", role: "group", "aria-label": TEXTS.series(panel.title) };
  return element("div", {}, holder, element("div", all.length > 12 ? many : {}, list));
}

function tick(seconds, answer) {
  const at = new Date(seconds * 1000);
  return answer.end - answer.start > 2 * 86400
    ? at.toLocaleDateString("en", { month: "short", day: "numeric" })
    : at.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
}

// A histogram's buckets over time: each has what is above the one below it; the darker, the more.
function heatmap(panel, answer, style) {
  const bound = ({ labels }) => (labels.le === "+Inf" ? Infinity : Number(labels.le));
  const sorted = answer.queries[0].toSorted((one, two) => bound(one) - bound(two));
  const [times, ...sums] = columns(sorted, answer);
  const counts = sums.map((column, row) => column.map((value, at) => Math.max(0, (value ?? 0) - (row ? sums[row - 1][at] ?? 0 : 0))));
  const most = Math.max(...counts.flat()) || 1;
  const canvas = element("canvas", { class: "heat", role: "img", "aria-label": panel.title });
  new ResizeObserver(() => {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width === width && canvas.height === height) return;
    Object.assign(canvas, { width, height });
    const brush = canvas.getContext("2d");
    brush.fillStyle = style.getPropertyValue("--series-1").trim();
    const [length, line] = [answer.end - answer.start, height / sorted.length];
    counts.forEach((column, row) => column.forEach((count, at) => {
      brush.globalAlpha = Math.sqrt(count / most);
      const left = ((times[at] - answer.step - answer.start) / length) * width;
      brush.fillRect(left, height - (row + 1) * line, Math.max((answer.step / length) * width, 1), Math.max(line - 1, 1));
    }));
  }).observe(canvas);
  const names = sorted.toReversed().map((series) => element("li", {}, `≤ ${shown(bound(series) === Infinity ? "∞" : bound(series), "s")}`));
  return element("div", { class: "buckets" }, element("ul", { "aria-hidden": "true" }, names), canvas);
}

const KINDS = { stat, timeseries, bargauge, table, heatmap, "state-timeline": states };

export function drawn(panel, answer, style) {
  if (!answer.queries.flat().length) return element("p", { class: "empty" }, panel.absent || TEXTS.empty);
  return KINDS[panel.kind](panel, answer, style);
}
