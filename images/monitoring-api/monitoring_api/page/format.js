// Values as people read them, by the units of the boards.
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
const DECIMAL = ["", "k", "M", "G", "T"];

function scaled(value, base, prefixes, unit) {
  let step = 0;
  while (Math.abs(value) >= base && step < prefixes.length - 1) {
    value /= base;
    step += 1;
  }
  return `${digits(value)} ${prefixes[step]}${unit}`.trim();
}

function digits(value) {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 });
}

function duration(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (Math.abs(seconds) >= size) return `${digits(seconds / size)} ${unit}`;
  }
  return Math.abs(seconds) >= 1 || seconds === 0 ? `${digits(seconds)} s` : `${digits(seconds * 1000)} ms`;
}

const UNITS = {
  bytes: (value) => scaled(value, 1024, BINARY, "B"),
  binBps: (value) => scaled(value, 1024, BINARY, "B/s"),
  celsius: (value) => `${digits(value)} °C`,
  ops: (value) => `${digits(value)}/s`,
  percent: (value) => `${digits(value)} %`,
  percentunit: (value) => `${digits(value * 100)} %`,
  pps: (value) => `${digits(value)} packets/s`,
  reqps: (value) => `${digits(value)}/s`,
  s: duration,
  watt: (value) => `${digits(value)} W`,
};

export function shown(value, unit) {
  if (value === null || value === undefined || typeof value === "string") return String(value ?? "");
  return (UNITS[unit] ?? ((plain) => scaled(plain, 1000, DECIMAL, "")))(value);
}

// {{label}} stands for the label's value.
export function legend(text, labels) {
  const named = text.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? "");
  return named || Object.entries(labels).filter(([name]) => name !== "cluster").map(([, value]) => value).join(" ");
}

// The colour's name of the highest step that the value reaches.
export function colour(steps, value) {
  let name = "text";
  for (const [from, shade] of steps) if (from === null || value >= from) name = shade;
  return steps.length > 1 ? name : "text";
}
