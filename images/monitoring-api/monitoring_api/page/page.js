// The page: which part is shown, what has been chosen, and asking again.
import { ask, Refusal, token } from "./api.js";
import { graph, progress, timeline } from "./application.js";
import { element } from "./dom.js";
import { drawn } from "./panels.js";
import { TEXTS } from "./texts.js";

const AGAIN_MS = 15000;
const LIVE_MS = 3000;
// Together they are what a back-end that hangs has until that shows.
const [LOOK_MS, SLOW_MS] = [2000, 2500];
const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
const nav = document.querySelector("nav");
const state = { boards: [], view: 0, seconds: 3600, chosen: {} };

// What the address names: a part, and what is chosen there.
function address() {
  const [path, query] = location.hash.slice(2).split("?");
  try {
    return { part: decodeURIComponent(path) || "cluster", chosen: Object.fromEntries(new URLSearchParams(query)) };
  } catch {
    return { part: "cluster", chosen: {} }; // an address that somebody has cut off
  }
}

const part = () => address().part;

// The address says what is chosen, so that it can be handed on.
function choose(board, name, value) {
  state.chosen[name] = value;
  const chosen = board.variables.map((variable) => [variable.name, state.chosen[variable.name]]).filter(([, each]) => each);
  history.replaceState(null, "", `#/${encodeURIComponent(board.key)}?${new URLSearchParams(chosen)}`);
  show();
}

// Whoever goes on to another part gets no answer of the one before.
async function asked(path, parameters, view, refused = () => {}) {
  try {
    const answer = await ask(path, parameters);
    return view === state.view ? answer : null;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401 || error.status === 403) signIn(error.status === 403 ? TEXTS.notAllowed : "");
    // That one application has ended is no trouble of the back-end.
    else if (error.status === 0 || (error.status === 503 && !path.startsWith("applications/"))) tell(error.message);
    else if (view === state.view) refused(error.message);
    return null;
  }
}

// What is said again is not read out again.
function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function tell(reason) {
  say(trouble, TEXTS.trouble(reason || TEXTS.unreachable));
  trouble.hidden = false;
}

function signIn(refused) {
  if (document.getElementById("token")) return;
  state.view += 1;
  const field = element("input", { id: "token", type: "password", autocomplete: "off", required: true, "aria-describedby": "how" });
  const form = element("form", { class: "sign-in", onsubmit: (event) => {
    event.preventDefault();
    token(field.value.trim());
    form.remove();
    start();
  } },
    element("h1", {}, TEXTS.signIn),
    element("p", { role: "alert" }, refused),
    element("label", { for: "token" }, TEXTS.token), field,
    element("p", { id: "how" }, TEXTS.tokenHow),
    element("button", {}, TEXTS.signIn));
  main.replaceChildren(form);
  field.focus();
}

function navigation() {
  const parts = [...state.boards.map(({ key, title }) => [key, title]), ["alerts", TEXTS.alerts], ["metrics", TEXTS.reference]];
  nav.replaceChildren(element("ul", {}, parts.map(([key, title]) =>
    element("li", {}, element("a", { href: `#/${key}`, "aria-current": key === part() ? "page" : false }, title)))));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function choice(name, title, options, current, onchange) {
  const select = element("select", { id: `choice-${name}`, onchange: () => onchange(select.value) },
    options.map(([value, text]) => element("option", { value, selected: value === current }, text)));
  return element("div", {}, element("label", { for: `choice-${name}` }, title), select);
}

// $task stands for the task that is chosen.
const filled = (title) => title.replace(/\$(\w+)/g, (_, name) => state.chosen[name] || TEXTS.any);

// The first of the values that the label has now; where all have ended, the first.
async function present(variable, labelSelector, values, view) {
  const answer = values.length > 1 ? await asked("values", { metric: variable.record, labelSelector }, view) : null;
  const now = new Set(answer?.values.map(({ labels }) => labels[variable.label]));
  return values.find((value) => now.has(value)) ?? values[0] ?? "";
}

// The values of a variable are those that the label of its record had in the range: what has ended can be looked at, too.
async function variables(board, view) {
  const made = [];
  for (const variable of board.variables) {
    const under = variable.under.filter((name) => state.chosen[name]).map((name) => `${name}=${state.chosen[name]}`);
    const end = Date.now() / 1000;
    const parameters = { labelSelector: under.join(), start: (end - state.seconds).toFixed(3), end: end.toFixed(3) };
    const answer = await asked(`metrics/${variable.record}/labels/${variable.label}`, parameters, view);
    if (!answer) return null;
    const values = answer.values.filter(Boolean)
      .sort((one, two) => one.localeCompare(two, "en", { numeric: true }));
    const options = values.map((value) => [value, value]);
    if (variable.multi) options.unshift(["", TEXTS.any]);
    if (!options.some(([value]) => value === (state.chosen[variable.name] ?? ""))) {
      state.chosen[variable.name] = variable.multi ? "" : await present(variable, parameters.labelSelector, values, view);
    }
    if (values.length > 1) {
      made.push(choice(variable.name, variable.title, options, state.chosen[variable.name], (value) => choose(board, variable.name, value)));
    }
  }
  return made;
}

async function showBoard(key, view) {
  const refused = (reason) => main.replaceChildren(element("p", {}, reason));
  const board = await asked(`boards/${encodeURIComponent(key)}`, {}, view, refused);
  const choices = board && (await variables(board, view));
  if (!choices) return;
  choices.push(choice("range", TEXTS.range, Object.entries(TEXTS.ranges), String(state.seconds), (value) => {
    state.seconds = Number(value);
    show();
  }));
  const panels = [];
  const rows = board.rows.map((row) => element("section", {}, element("h2", {}, row.title),
    element("div", { class: "panels" }, row.panels.map((panel) => {
      const body = element("div", { class: "body" });
      const note = element("details", { class: "note" }, element("summary", { "aria-label": TEXTS.about(filled(panel.title)) }, "?"), element("p", {}, panel.note));
      const made = element("article", { class: `panel ${panel.kind}` }, element("h3", {}, filled(panel.title)), panel.note ? note : null, body);
      made.style.setProperty("--width", panel.width);
      panels.push({ panel, body });
      return made;
    }))));
  // Whoever has chosen by keyboard goes on from there.
  const focused = document.activeElement.id;
  main.replaceChildren(element("h1", {}, board.title), element("p", { class: "about" }, board.about),
    element("div", { class: "choices" }, choices), ...rows);
  if (focused.startsWith("choice-")) document.getElementById(focused)?.focus();
  await again(key, board, panels, view);
}

async function again(key, board, panels, view) {
  while (view === state.view) {
    const end = Date.now() / 1000;
    const chosen = Object.fromEntries(board.variables.map(({ name }) => [name, state.chosen[name]]).filter(([, value]) => value));
    const parameters = { ...chosen, start: (end - state.seconds).toFixed(3), end: end.toFixed(3), step: Math.max(15, state.seconds / 240) };
    const style = getComputedStyle(document.documentElement);
    await Promise.all(panels.map(async ({ panel, body }, number) => {
      const refused = (reason) => body.replaceChildren(element("p", { class: "empty" }, reason));
      const answer = await asked(`boards/${key}/panels/${number}`, parameters, view, refused);
      if (answer) put(body, drawn(panel, answer, style));
    }));
    await pause(AGAIN_MS);
  }
}

// What is drawn anew keeps the focus, and what somebody has scrolled to.
function put(place, made) {
  const stops = () => [...place.querySelectorAll("[tabindex], a")];
  const before = stops().map((stop) => [stop.scrollLeft, stop.scrollTop]);
  const focused = stops().indexOf(document.activeElement);
  place.replaceChildren(made);
  stops().forEach((stop, number) => stop.scrollTo(...(before[number] ?? [0, 0])));
  if (focused >= 0) stops()[focused]?.focus({ preventScroll: true });
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// What is shown of an application that runs: what is asked for, its title, and how it is drawn.
const LIVE = [["", TEXTS.now, progress], ["/graph", TEXTS.graph, graph], ["/timeline", TEXTS.timeline, timeline]];

async function showApplication(namespace, name, view) {
  const records = `#/compss-application?${new URLSearchParams({ namespace, application: name })}`;
  const notice = element("p", { role: "status" });
  const places = LIVE.map(() => element("div", { class: "body" }));
  main.replaceChildren(element("h1", {}, name),
    element("p", { class: "about" }, TEXTS.live(namespace), element("a", { href: records }, TEXTS.records)), notice,
    ...LIVE.map(([, title], number) => element("section", {}, element("h2", {}, title), places[number])));
  const known = [];
  while (view === state.view) {
    await Promise.all(LIVE.map(async ([path, , draw], number) => {
      const refused = (reason) => {
        if (known[number]) say(notice, TEXTS.last(reason));
        else places[number].replaceChildren(element("p", { class: "empty" }, reason));
      };
      const answer = await asked(`applications/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}${path}`, {}, view, refused);
      if (!answer) return;
      say(notice, "");
      const text = JSON.stringify(answer);
      if (text !== known[number]) put(places[number], draw(answer));
      known[number] = text;
    }));
    await pause(LIVE_MS);
  }
}

async function showAlerts(view) {
  const list = element("div", { class: "alerts" });
  main.replaceChildren(element("h1", {}, TEXTS.alerts), list);
  while (view === state.view) {
    const answer = await asked("alerts", {}, view, (reason) => list.replaceChildren(element("p", {}, reason)));
    if (answer) {
      list.replaceChildren(...(answer.alerts.length ? answer.alerts.map(alert) : [element("p", {}, TEXTS.noAlerts)]));
    }
    await pause(AGAIN_MS);
  }
}

function alert({ name, state: now, severity, since, labels, summary, description, runbook }) {
  const about = Object.entries(labels).map(([label, value]) => `${label}=${value}`).join(" ");
  return element("article", { class: `panel alert ${severity}` },
    element("h2", {}, name),
    element("p", { class: "quiet" }, `${[severity, now].filter(Boolean).join(", ")}, ${TEXTS.since} ${new Date(since).toLocaleString("en", { dateStyle: "medium", timeStyle: "short", hour12: false })}`),
    element("p", { class: "quiet" }, about),
    element("p", {}, summary), element("p", {}, description),
    runbook ? element("details", {}, element("summary", {}, TEXTS.runbook), element("p", {}, runbook)) : null);
}

async function showMetrics(view) {
  const answer = await asked("metrics", {}, view);
  if (!answer) return;
  const count = element("p", { role: "status" });
  const list = element("div", { class: "metrics" });
  const field = element("input", { id: "search", type: "search", oninput: () => filter() });
  const made = answer.metrics.map((metric) => [`${metric.name} ${metric.meaning}`.toLowerCase(), metricEntry(metric)]);
  function filter() {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const [text, entry] of made) {
      entry.hidden = !words.every((word) => text.includes(word));
      shown += !entry.hidden;
    }
    count.textContent = TEXTS.found(shown, made.length);
  }
  list.append(...made.map(([, entry]) => entry));
  main.replaceChildren(element("h1", {}, TEXTS.reference), element("label", { for: "search" }, TEXTS.search), field, count, list);
  filter();
}

function metricEntry(metric) {
  const limits = [["warning", metric.warning], ["critical", metric.critical]].filter(([, value]) => value !== null)
    .map(([name, value]) => `${TEXTS[name]} ${value}`);
  const reason = element("p", { class: "quiet", role: "status" });
  const why = element("button", { type: "button", "aria-label": `${TEXTS.why} ${metric.name}`, onclick: async () => {
    const answer = await asked(`metrics/${encodeURIComponent(metric.name)}/reason`, {}, state.view, (refused) => { reason.textContent = refused; });
    if (answer) reason.textContent = answer.reason;
  } }, TEXTS.why);
  return element("article", { class: "panel metric" },
    element("h2", {}, metric.name),
    element("p", {}, metric.meaning),
    element("p", { class: "quiet" }, [metric.level, metric.category, metric.unit, ...limits].join(" · ")),
    element("p", { class: "quiet" }, `${TEXTS.labels}: ${metric.labels.join(", ")}${metric.more_labels ? ", …" : ""}`),
    element("p", { class: "quiet" }, metric.exporters.length ? `${TEXTS.exporters}: ${metric.exporters.join(", ")}` : ""),
    metric.absent ? element("p", { class: "quiet" }, `${TEXTS.absent}: ${metric.absent}`) : null,
    why, reason);
}

async function show() {
  state.view += 1;
  const [view, { part: shown, chosen }] = [state.view, address()];
  const [kind, ...names] = shown.split("/");
  if (Object.keys(chosen).length) state.chosen = chosen;
  navigation();
  const title = { alerts: TEXTS.alerts, metrics: TEXTS.reference }[shown] ?? state.boards.find(({ key }) => key === shown)?.title;
  document.title = title ?? names.at(-1) ?? shown;
  if (shown === "alerts") await showAlerts(view);
  else if (shown === "metrics") await showMetrics(view);
  else if (kind === "application" && names.length === 2) await showApplication(...names, view);
  else await showBoard(shown, view);
}

// A back-end that is away shows soon, and so does that it is back, whatever part is shown.
async function watch() {
  for (;;) {
    await pause(LOOK_MS);
    if (document.hidden || document.getElementById("token")) continue;
    const { view } = state;
    let given = true; // what the back-end never has is an answer, too
    const slow = setTimeout(() => tell(TEXTS.slow), SLOW_MS);
    const answer = await asked("alerts", {}, view, () => { given = false; });
    clearTimeout(slow);
    if ((answer || !given) && !trouble.hidden) {
      trouble.hidden = true;
      show();
    }
  }
}

function theme() {
  const key = "monitoring-theme";
  const wanted = () => localStorage.getItem(key) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const button = element("button", { type: "button", onclick: () => {
    localStorage.setItem(key, wanted() === "dark" ? "light" : "dark");
    set();
    show();
  } });
  function set() {
    document.documentElement.dataset.theme = wanted();
    button.textContent = wanted() === "dark" ? TEXTS.light : TEXTS.dark;
  }
  set();
  document.querySelector(".tools").append(button);
}

async function start() {
  const answer = await asked("boards", {}, state.view);
  if (!answer) {
    if (!document.getElementById("token")) setTimeout(start, LOOK_MS);
    return;
  }
  trouble.hidden = true;
  state.boards = answer.boards;
  show();
}

const skip = document.querySelector(".skip");
skip.textContent = TEXTS.skip;
skip.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
theme();
addEventListener("hashchange", () => show());
start();
watch();
