// What the gateway did in the last hours or days, and how it is now: its state in words, what cools, providers.
import { api, useApi } from "../lib/api.js";
import { compact, dollarTick, dollars, duration, ms, msTick, number, percent } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { Plot } from "../lib/plot.js";
import { href, replace } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { PERIODS, percentile, readTraffic } from "../lib/traffic.js";
import { Badge, Card, Choice, Empty, Loaded, Mono, Notice, Page } from "../lib/ui.js";

const GROUPS = [["", "All"], ["project", "Project"], ["key", "Key"], ["model", "Model"]];
const REFRESH = 30; // seconds
const REFRESH_DAYS = 300; // of GET /usage, whose calls are requests in the log

export default function Overview({ query }) {
  const period = PERIODS.some(([id]) => id === query.period) ? query.period : "24h";
  const by = GROUPS.some(([id]) => id === query.by) ? query.by : "";
  const status = useApi((signal) => api.get("status", {}, { signal }), [], { every: REFRESH });
  const traffic = useApi((signal) => readTraffic(period, by, signal), [period, by], { every: period.endsWith("h") ? REFRESH : REFRESH_DAYS });
  const choose = (change) => replace("overview", [], { period, by, ...change });
  return html`
    <${Page} title="Overview"
      actions=${html`<${Choice} label="Period" options=${PERIODS} value=${period} onChange=${(next) => choose({ period: next })} />
        <${Choice} label="By" options=${GROUPS} value=${by} onChange=${(next) => choose({ by: next })} />`}>
      <${Loaded} of=${status} title="The state cannot be read.">${(data) => html`<${State} status=${data} />`}<//>
      <${Loaded} of=${traffic} title="The traffic cannot be read.">${(data) => html`<${Traffic} data=${data} by=${by} />`}<//>
      ${status.data && html`<${Providers} status=${status.data} />`}
    <//>
  `;
}

/** The state in words: what the gateway itself calls a problem, then what cools. */
function State({ status }) {
  const { rules, notes = [] } = status;
  const warned = status.warnings?.length ?? 0;
  const records = warned === 1 ? "One record has a warning" : `${warned} records have warnings`;
  return html`
    ${notes.length > 0 &&
    html`<${Notice} kind=${status.status === "ok" ? "warn" : "bad"} title=${status.status === "ok" ? "Look at this:" : "The gateway is degraded:"}>
      <ul class="notes">${notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul><//>`}
    <p class="state">
      <${Badge} kind=${status.status === "ok" ? "ok" : "bad"}>${status.status === "ok" ? "working" : status.status}<//>
      <span>Rules <${Mono}>${rules.revision?.slice(0, 12) ?? "none"}<//>${rules.age_s !== null && rules.age_s !== undefined ? `, read ${duration(rules.age_s)} ago` : ""}${rules.stale ? ", stale" : ""}</span>
      ${rules.skipped > 0 && html`<a href=${href("rules")}>${rules.skipped} unreadable</a>`}
      ${warned > 0 && html`<a href=${href("rules")}>${records}</a>`}
    </p>
  `;
}

function Traffic({ data, by }) {
  const { sum, x, daily } = data;
  const part = (of) => percentile(sum.first_token?.buckets, data.bounds, of);
  return html`
    <div class="tiles">
      <${Tile} label="Requests" value=${compact(sum.requests)} />
      <${Tile} label="Errors" value=${compact(sum.errors)} note=${percent(sum.errors, sum.requests)} />
      <${Tile} label="Cost" value=${dollars(sum.cost)} />
      <${Tile} label="Tokens" value=${compact(sum.input + sum.output)} note=${`${compact(sum.input)} in, ${compact(sum.output)} out`} />
      <${Tile} label="Time to first token" value=${daily ? "–" : ms(part(0.5))} note=${daily ? "known for hours only" : `95 % within ${ms(part(0.95))}`} />
    </div>
    ${data.truncated && html`<${Notice} kind="warn">There are more rows than a report may have, so the numbers are too low.<//>`}
    ${sum.requests ? html`<${Plots} ...${{ data, by, x, daily }} />` : html`<${Card}><${Empty}>There were no requests in this time.<//><//>`}
    ${by && data.all.length > 0 && html`<${ByName} data=${data} by=${by} />`}
  `;
}

const Tile = ({ label, value, note }) => html`<div class="tile"><span>${label}</span><strong>${value}</strong><small>${note ?? "\u00a0"}</small></div>`;

function Plots({ data, by, x, daily }) {
  const sets = useMemo(() => {
    const { total, groups } = data;
    const values = (name) => groups.map((group) => ({ label: group.name, values: x.map((_, at) => group.cells[at]?.[name] ?? 0) }));
    const own = (label, pick) => ({ label, values: total.map(pick) });
    return {
      requests: by ? values("requests") : [own("answered", (cell) => cell.requests - cell.errors), own("errors", (cell) => cell.errors)],
      cost: by ? values("cost") : [own("cost", (cell) => cell.cost)],
      tokens: by
        ? groups.map((group) => ({ label: group.name, values: x.map((_, at) => (group.cells[at]?.input ?? 0) + (group.cells[at]?.output ?? 0)) }))
        : [own("input", (cell) => cell.input), own("output", (cell) => cell.output)],
      first: [own("median", (cell) => cell.first_token?.p50 ?? null), own("95 % within", (cell) => cell.first_token?.p95 ?? null)],
      errors: values("errors"),
    };
  }, [data]);
  return html`
    <div class="columns plots">
      <${Card}><${Plot} title="Requests" ...${{ x, daily }} series=${sets.requests} format=${compact} /><//>
      <${Card}><${Plot} title="Cost" ...${{ x, daily }} series=${sets.cost} format=${dollars} tick=${dollarTick} /><//>
      <${Card}><${Plot} title="Tokens" ...${{ x, daily }} series=${sets.tokens} format=${compact} /><//>
      ${by
        ? html`<${Card}><${Plot} title="Errors" ...${{ x, daily }} series=${sets.errors} format=${compact} /><//>`
        : !daily && html`<${Card}><${Plot} title="Time to first token" kind="lines" ...${{ x, daily }} series=${sets.first} format=${ms} tick=${msTick} /><//>`}
    </div>
  `;
}

function ByName({ data, by }) {
  const count = (id, label, format) => ({ id, label, align: "right", sort: (row) => row.sum[id], value: (row) => format(row.sum[id]) });
  const first = (row) => percentile(row.sum.first_token?.buckets, data.bounds, 0.5);
  const columns = [
    { id: "name", label: GROUPS.find(([id]) => id === by)[1], wide: true, sort: (row) => row.name,
      value: (row) => (by === "key" ? html`<a href=${href("keys", [row.name])}>${row.name}</a>` : row.name) },
    count("requests", "Requests", number), count("errors", "Errors", number), count("cost", "Cost", dollars),
    count("input", "Input", compact), count("output", "Output", compact),
    ...(by === "model" && !data.daily ? [{ id: "first", label: "First token", align: "right", sort: first, value: (row) => ms(first(row)) }] : []),
  ];
  return html`<${Card} title=${`By ${by}`} flush><${Table} caption=${`By ${by}`} columns=${columns} rows=${data.all} rowKey=${(row) => row.name} sorted=${{ id: "cost", down: true }} /><//>`;
}

const WHY = [
  { id: "name", label: "Provider", value: (row) => row.name },
  { id: "why", label: "Why", wide: true, value: (row) => row.why ?? "–" },
];

function Providers({ status }) {
  const cooling = Object.entries(status.cooling ?? {});
  const available = status.providers.filter((row) => row.available);
  const others = status.providers.filter((row) => !row.available);
  return html`
    <div class="columns">
      <${Card} title="Providers" note=${`${available.length} can be called, ${others.length} cannot.`}>
        ${available.length
          ? html`<ul class="names">${available.map((row) => html`<li key=${row.name}><${Badge} kind="ok">${row.name}<//></li>`)}</ul>`
          : html`<${Notice} kind="warn">No provider has a credential.<//>`}
        ${others.length > 0 && html`<details class="plot-table"><summary>The others, and why</summary><${Table} caption="Providers that cannot be called" columns=${WHY} rows=${others} rowKey=${(row) => row.name} /></details>`}
      <//>
      <${Card} title="Cooling down" note="Models that failed repeatedly are asked last for a while.">
        ${cooling.length
          ? html`<ul class="names rows">${cooling.map(([id, left]) => html`<li key=${id}><${Mono}>${id}<//> <span class="dim">for another ${duration(left)}</span></li>`)}</ul>`
          : html`<p class="dim">Nothing is cooling down on the instance that answered.</p>`}
      <//>
    </div>
  `;
}
