// Numbers, money, durations and times as the console shows them.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const NONE = "–";
const none = (value) => value === null || value === undefined || Number.isNaN(value);

export const number = (value) => (none(value) ? NONE : whole.format(value));
export const compact = (value) => (none(value) ? NONE : Math.abs(value) < 10000 ? whole.format(value) : short.format(value));
export const percent = (part, all) => (all ? `${((100 * part) / all).toFixed(part && part / all < 0.1 ? 1 : 0)} %` : NONE);

/** US dollars: two decimals from one dollar on, else three digits that count. */
export function dollars(value) {
  if (none(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "$0";
  if (size >= 1) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toLocaleString("en", { maximumSignificantDigits: 3, maximumFractionDigits: 9 })}`;
}

/** Values at the axis of a plot, which are round. */
const round = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
export const dollarTick = (value) => `$${round.format(value)}`;
export const msTick = (value) => (value < 1000 ? `${round.format(value)} ms` : `${round.format(value / 1000)} s`);

export function ms(value) {
  if (none(value)) return NONE;
  if (value < 1000) return `${Math.round(value)} ms`;
  return `${(value / 1000).toFixed(value < 10000 ? 2 : 1)} s`;
}

/** A number of seconds in words: "2 h 5 min". */
export function duration(seconds) {
  if (none(seconds)) return NONE;
  const s = Math.max(0, Math.round(seconds));
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => s >= size);
  if (first < 0) return "0 s";
  const [size, name] = units[first];
  const [next, small] = units[first + 1] ?? [];
  const rest = next ? Math.floor((s % size) / next) : 0;
  return `${Math.floor(s / size)} ${name}${rest ? ` ${rest} ${small}` : ""}`;
}

const two = (value) => String(value).padStart(2, "0");

/** A Date of what APIs send as times: seconds, milliseconds or ISO text. */
export const date = (value) =>
  value instanceof Date ? value : new Date(typeof value === "number" && value < 1e11 ? value * 1000 : value);

export const day = (value) => {
  const d = date(value);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
};
export const clock = (value) => {
  const d = date(value);
  return `${two(d.getHours())}:${two(d.getMinutes())}`;
};
export const time = (value) =>
  none(value) || Number.isNaN(date(value).getTime()) ? NONE : `${day(value)} ${clock(value)}:${two(date(value).getSeconds())}`;
export const ago = (value) => {
  const seconds = (Date.now() - date(value).getTime()) / 1000;
  return seconds < 5 ? "now" : `${duration(seconds)} ago`;
};
