// The traffic of a period for the overview: hours of GET activity or days of GET /usage, in one shape.
//
// {x, daily, total: [cell], groups: [{name, cells, sum}], sum}: a cell has requests, errors, cost, input, output,
// and in hours first_token {count, buckets, p50, p95}. Groups are the most expensive ones and "others".
import { api, gateway } from "./api.js";

export const PERIODS = [["24h", "24 hours"], ["72h", "3 days"], ["168h", "7 days"], ["30d", "30 days"], ["90d", "90 days"]];
const SHOWN = 6; // groups; the rest are added up
const OTHERS = "others";
const COUNTS = ["requests", "errors", "cost", "input", "output"];
const DAY = 86400;

export async function readTraffic(period, by, signal) {
  const size = parseInt(period, 10);
  return period.endsWith("h") ? hours(size, by, signal) : days(size, by, signal);
}

const add = (a, b) => {
  const sum = Object.fromEntries(COUNTS.map((name) => [name, (a?.[name] ?? 0) + (b?.[name] ?? 0)]));
  const [one, other] = [a?.first_token, b?.first_token];
  if (one || other) {
    const buckets = (one?.buckets ?? []).map((count, at) => count + (other?.buckets?.[at] ?? 0));
    sum.first_token = { count: (one?.count ?? 0) + (other?.count ?? 0), buckets: buckets.length ? buckets : [...(other?.buckets ?? [])] };
  }
  return sum;
};
const sumOf = (cells) => cells.filter(Boolean).reduce(add, null) ?? add(null, null);

async function hours(count, by, signal) {
  const found = await api.get("activity", { hours: count }, { signal });
  const cells = (name) => found.hours.map((hour) => hour.by?.[by]?.[name]);
  const names = by ? [...new Set(found.hours.flatMap((hour) => Object.keys(hour.by?.[by] ?? {})))] : [];
  return shape({
    x: found.hours.map((hour) => Date.parse(hour.hour) / 1000),
    total: found.hours.map((hour) => hour.total),
    groups: names.map((name) => ({ name, cells: cells(name) })),
    bounds: found.first_token_bounds,
    daily: false,
  });
}

async function days(count, by, signal) {
  const found = await gateway.get("usage", { from: `${count}d`, by: by ? `day,${by}` : "day" }, { signal });
  const first = Date.parse(found.from) / 1000;
  const x = Array.from({ length: count }, (_, at) => first + at * DAY);
  const place = (row) => Math.round((Date.parse(row.day) / 1000 - first) / DAY);
  const total = x.map(() => null);
  const groups = new Map();
  for (const row of found.data) {
    const at = place(row);
    total[at] = add(total[at], row);
    if (!by) continue;
    const name = row[by] ?? "(none)";
    if (!groups.has(name)) groups.set(name, x.map(() => undefined));
    groups.get(name)[at] = row;
  }
  return shape({ x, total: total.map((cell) => cell ?? add(null, null)), daily: true, truncated: found.truncated,
    groups: [...groups].map(([name, cells]) => ({ name, cells })) });
}

function shape(found) {
  const all = found.groups
    .map((group) => ({ ...group, sum: sumOf(group.cells) }))
    .sort((a, b) => b.sum.cost - a.sum.cost || b.sum.requests - a.sum.requests);
  const shown = all.slice(0, SHOWN);
  const rest = all.slice(SHOWN);
  if (rest.length) {
    const cells = found.x.map((_, at) => sumOf(rest.map((group) => group.cells[at])));
    shown.push({ name: OTHERS, cells, sum: sumOf(rest.map((group) => group.sum)) });
  }
  return { ...found, all, groups: shown, sum: sumOf(found.total) };
}

/** A percentile of a histogram in milliseconds, as if the values of a bucket were spread evenly; null without any. */
export function percentile(buckets = [], bounds = [], part) {
  const count = buckets.reduce((a, b) => a + b, 0);
  if (!count) return null;
  let before = 0;
  for (let at = 0; at < buckets.length; at++) {
    if (buckets[at] && before + buckets[at] >= part * count) {
      const low = bounds[at - 1] ?? 0;
      const high = bounds[at] ?? 2 * low;
      return low + ((part * count - before) / buckets[at]) * (high - low);
    }
    before += buckets[at];
  }
  return null;
}
