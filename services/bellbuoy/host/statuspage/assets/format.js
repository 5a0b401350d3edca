// Numbers and times as a person reads them; always the same width for the same magnitude.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const NONE = "–";

export function clock(at) {
  return CLOCK.format(new Date(at * 1000));
}

export function count(value) {
  if (value == null) return NONE;
  if (value >= 1e7) return `${digits(value / 1e6)} M`;
  if (value >= 1e5) return `${digits(value / 1e3)} k`;
  return Number.isInteger(value) ? GROUPED.format(value) : digits(value);
}

export function rate(value) {
  return value == null ? NONE : `${count(value >= 10 ? Math.round(value) : value)}/s`;
}

export function seconds(value) {
  if (value == null) return NONE;
  if (value === 0) return "0";
  if (value < 1e-3) return `${digits(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1e3)} ms`;
  return `${digits(value)} s`;
}

export function bytes(value) {
  if (value == null) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${unit ? digits(value) : Math.round(value)} ${units[unit]}`;
}

export function byterate(value) {
  return value == null ? NONE : `${bytes(value)}/s`;
}

/** A while, in at most two units: 4 s, 2 min 05 s, 3 h 12 min, 5 d 2 h. */
export function span(value) {
  const s = Math.max(0, Math.floor(value));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A while in its largest unit: 4 s, 2 min, 3 h, 5 d. */
export function brief(value) {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([least]) => value >= least) ?? [1, "s"];
  return `${Math.floor(value / size)} ${unit}`;
}

/** The mark of an axis: a number of few digits, without zeros that say nothing. */
export function tick(format) {
  return (value) => (value ? format(value).replace(/\.0+(?!\d)|(\.\d*?[1-9])0+(?!\d)/, "$1") : "0");
}

/** An age with tenths while it is short enough for them to matter. */
export function age(value) {
  return value < 10 ? `${value.toFixed(1)} s` : span(value);
}

export const UNITS = { count, rate, seconds, byterate };

function digits(value) {
  if (value === 0) return "0";
  if (value >= 100) return GROUPED.format(value);
  if (value >= 10) return value.toFixed(1);
  return value >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}
