// A plot over time by uPlot, with its legend, a line of values under the pointer, and the same data as a table.
//
// `x`: seconds. `series`: [{label, values}], with null where there is no value. `kind`: "stack" (bars on top of
// one another) or "lines". `format` makes the text of a value, `tick` that of a value at the axis.
import uPlot from "../vendor/uplot.js";
import { clock, day } from "./format.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Table } from "./table.js";
import { isDark, theme } from "./theme.js";

const COLOURS = 7;
const colour = (style, name) => style.getPropertyValue(name).trim();

/** The colour of a custom property as it is now: light or dark. */
function colours(element) {
  const names = ["grid", "axis", ...Array.from({ length: COLOURS }, (_, at) => `series-${at}`)];
  const style = getComputedStyle(element);
  const at = isDark() ? "dark" : "light";
  return Object.fromEntries(names.map((name) => [name, colour(style, `--${name}-${at}`)]));
}

/** Each series on top of those before it. */
function stacked(series, length) {
  const sums = new Array(length).fill(0);
  return series.map(({ values }) => values.map((value, at) => (sums[at] += value ?? 0)));
}

function options({ x, series, kind, tick, label, width, height, palette, stamp, move, daily }) {
  const step = x.length > 1 ? x[1] - x[0] : 3600;
  const stack = kind === "stack";
  const bars = uPlot.paths.bars({ size: [0.72, 48], radius: 0.12 });
  const axis = { stroke: palette.axis, grid: { stroke: palette.grid, width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const drawn = series.map((one, at) => {
    const ink = palette[`series-${at % COLOURS}`];
    return { label: one.label, stroke: ink, fill: stack ? ink : undefined, width: stack ? 0 : 2,
      paths: stack ? bars : undefined, points: { show: !stack && x.length < 40, size: 5 }, spanGaps: false };
  });
  return {
    width, height, legend: { show: false }, padding: [12, 8, 0, 0], ariaLabel: label,
    tzDate: daily ? (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC") : undefined, // days are those of UTC
    cursor: { y: false, points: { show: !stack }, drag: { x: false, y: false } },
    scales: { x: { time: true, range: (_, low, high) => [low - step * 0.6, high + step * 0.6] },
      y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 26, values: (_, ticks) => ticks.map((tick) => stamp(tick, true)) },
      { ...axis, size: 56, space: 34, values: (_, ticks) => ticks.map(tick) },
    ],
    series: [{}, ...(stack ? drawn.reverse() : drawn)],
    hooks: { setCursor: [(plot) => move(plot.cursor.idx ?? null)] },
  };
}

export function Plot({ title, x, series, kind = "stack", format = String, tick = format, daily, height = 180 }) {
  const place = useRef(null);
  const [at, setAt] = useState(null);
  const dark = theme.use() && isDark();
  const stamp = (seconds, brief) => (daily ? new Date(seconds * 1000).toISOString().slice(brief ? 5 : 0, 10) : brief ? clock(seconds) : `${day(seconds)} ${clock(seconds)}`);
  useEffect(() => {
    const element = place.current;
    const values = kind === "stack" ? stacked(series, x.length).reverse() : series.map((one) => one.values);
    const setup = { x, series, kind, tick, daily, label: title, height, palette: colours(element), stamp, move: setAt };
    const plot = new uPlot(options({ ...setup, width: element.clientWidth }), [x, ...values], element);
    plot.root.setAttribute("aria-hidden", "true"); // the table below has the same data
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [x, series, kind, dark, daily]);
  return html`
    <figure class="plot">
      <figcaption>
        <h2>${title}</h2>
        <span class="plot-at">${at !== null && x[at] !== undefined ? stamp(x[at]) : ""}</span>
      </figcaption>
      <div ref=${place} class="plot-area"></div>
      <${Legend} ...${{ series, at, format }} />
      <details class="plot-table"><summary>${title} as a table</summary>
        <${Table} caption=${title} rows=${x.map((seconds, row) => ({ seconds, row })).reverse()} columns=${[
          { id: "x", label: daily ? "Day" : "Hour", value: ({ seconds }) => stamp(seconds) },
          ...series.map((one) => ({ id: one.label, label: one.label, align: "right", value: ({ row }) => format(one.values[row]) })),
        ]} />
      </details>
    </figure>
  `;
}

const Legend = ({ series, at, format }) => html`
  <ul class="legend">
    ${series.map(
      (one, number) => html`<li key=${one.label}><span class=${`swatch s${number % COLOURS}`} aria-hidden="true"></span>
        <span class="legend-name">${one.label}</span>${at !== null && html`<b>${format(one.values[at])}</b>`}</li>`,
    )}
  </ul>
`;
