// The page Requests: the newest lines of the log, and one of them with its decision and its attempts.
import { api, segment, useApi } from "../lib/api.js";
import { clock, date, dollars, ms, number, time } from "../lib/format.js";
import { CheckField, SelectField, TextField } from "../lib/forms.js";
import { cx, html, useEffect, useState } from "../lib/html.js";
import { href, replace } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Button, Card, Code, Loaded, Mono, Notice, Page } from "../lib/ui.js";
import { RecordLink } from "../rules/explanation.js";
import { pretty, show } from "../rules/json.js";

const EVERY = 5; // seconds
const LIMIT = 100;
const STATUSES = [["", "all"], ["error", "errors"], ["2xx", "2xx"], ["4xx", "4xx"], ["5xx", "5xx"], ["429", "429"]];

export default function Requests({ path, query }) {
  return path.length ? html`<${One} key=${path[0]} id=${path[0]} />` : html`<${List} query=${query} />`;
}

const colour = (status) => (status >= 500 || status === 0 ? "bad" : status >= 400 ? "warn" : "ok");
const Status = ({ of }) => html`<${Badge} kind=${of.left ? "warn" : colour(of.status)}>${of.left ? "client left" : show(of.status)}<//>`;
const at = (line) => line.timestamp ?? line.time ?? line.at;
const seconds = (value) => (value === undefined ? "–" : `${clock(value)}:${String(date(value).getSeconds()).padStart(2, "0")}`);

const COLUMNS = [
  { id: "at", label: "Time", value: (line) => html`<time datetime=${at(line)} title=${time(at(line))}>${seconds(at(line))}</time>` },
  { id: "id", label: "Request", value: (line) => html`<a class="mono id" href=${href("requests", [line.request_id])} title=${line.request_id}>${line.request_id}</a>` },
  { id: "status", label: "Status", value: (line) => html`<${Status} of=${line} />${line.error && html` <span class="note">${line.error.code}</span>`}` },
  { id: "key", label: "Key", wide: true, value: (line) => html`${line.key ?? "–"}${line.project && html`<p class="note">${line.project}</p>`}` },
  { id: "model", label: "Model", wide: true, value: (line) => html`${line.model ?? line.asked_model ?? html`<span class="dim">${line.method} ${line.path}</span>`}<p class="note">${line.model && line.asked_model && line.asked_model !== line.model ? `asked ${line.asked_model}; ` : ""}${why(line)}</p>` },
  { id: "ms", label: "Time taken", align: "right", sort: (line) => line.ms, value: (line) => ms(line.ms) },
  { id: "cost", label: "Cost", align: "right", sort: (line) => line.cost, value: (line) => dollars(line.cost) },
];
const why = (line) => (line.rule && line.reason !== "requested" ? `rule ${line.rule}` : (line.reason ?? ""));

function List({ query }) {
  const { id = "", key = "", model = "", status = "", all = "" } = query;
  const [paused, setPaused] = useState(false);
  const settled = useRested({ id, key, model, status, method: all || id ? "" : "POST" });
  const lines = useApi((signal) => api.get("requests", { limit: LIMIT, ...settled }, { signal }), [JSON.stringify(settled)], { every: paused ? undefined : EVERY });
  const set = (name) => (value) => replace("requests", [], { ...query, [name]: value.trim() });
  const actions = html`<${Button} onClick=${() => setPaused(!paused)}>${paused ? "Go on" : "Pause"}<//><${Button} onClick=${lines.reload}>Refresh<//>`;
  return html`
    <${Page} title="Requests" lead=${paused ? "The newest requests. Paused." : `The newest requests, read again every ${EVERY} seconds.`} actions=${actions}>
      <${Card} flush>
        <div class="filters">
          <${TextField} label="Request id" value=${id} onInput=${set("id")} />
          <${TextField} label="Key (id)" value=${key} onInput=${set("key")} />
          <${TextField} label="Model" value=${model} onInput=${set("model")} />
          <${SelectField} label="Status" value=${status} options=${STATUSES} onChange=${set("status")} />
          <${CheckField} label="Also lists and look-ups" value=${!!all} onChange=${(on) => set("all")(on ? "1" : "")} />
        </div>
        <${Loaded} of=${lines}>${(found) => html`<${Table} caption="Requests" columns=${COLUMNS} rows=${found.data} rowKey=${(line, n) => line.request_id ?? n}
          empty=${id || key || model || status ? "No recent request fits." : "There was no request lately."} />`}<//>
      <//>
      <${Elsewhere} />
    <//>
  `;
}

const REST = 300; // milliseconds

/** The value once it has not changed for a moment, so that typing does not ask for each letter. */
function useRested(value) {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST);
    return () => clearTimeout(timer);
  }, [JSON.stringify(value)]);
  return rested;
}

const QUERY = (id) => `fields @timestamp, request_id, status, key, project, model, rule, ms, cost, error.code
| filter ${id ? `request_id = ${JSON.stringify(id)}` : "ispresent(request_id)"}
| sort @timestamp desc
| limit 100`;

const Elsewhere = ({ id }) => html`
  <details class="card"><summary>Older requests, and all fields: CloudWatch Logs</summary>
    <p class="note">This page has the newest requests of about a day, in short. The log has every request. Paste this into Logs Insights, with the log group of the function:</p>
    <${Code} label="Logs Insights" text=${QUERY(id)} />
  </details>
`;

function One({ id }) {
  const loaded = useApi((signal) => api.get(`requests/${segment(id)}`, {}, { signal }), [id]);
  return html`
    <${Page} title="Request" lead=${html`<a href=${href("requests")}>All requests</a> · <span class="mono">${id}</span>`}>
      <${Loaded} of=${loaded}>${(line) => html`
        ${line.error && html`<${Notice} kind="bad" title=${line.error.code ?? "Error"}>${[line.error.class, line.error.message].filter(Boolean).join(": ")}<//>`}
        <div class="columns"><${Decision} of=${line} /><${Use} of=${line} /></div>
        <${Timeline} of=${line} />
        <details class="card"><summary>The line as JSON</summary><${Code} label="Line" text=${pretty(line)} /></details>`}<//>
      <${Elsewhere} id=${id} />
    <//>
  `;
}

const Pairs = ({ of }) => html`<dl class="pairs">${of.filter(([, value]) => value !== undefined && value !== null && value !== "").map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

const Decision = ({ of }) => html`
  <${Card} title="Decision"><${Pairs} of=${[
    ["Time", time(at(of))], ["Request", `${of.method ?? ""} ${of.path ?? ""}`], ["Status", html`<${Status} of=${of} />`],
    ["Key", of.key && html`<${Mono}>${of.key}<//>`], ["Project", of.project], ["Asked for", of.asked_model || "no model"],
    [of.error ? "Model" : "Answered by", of.model && html`<strong>${of.model}</strong>`], ["Reason", of.reason],
    ["Rule", of.rule && html`<${RecordLink} kind="route" id=${of.rule} />`], ["Rules", of.revision && html`<${Mono}>${of.revision}<//>${of.stale ? " (stale)" : ""}`],
    ["Schema", of.schema && show(of.schema)], ["Cache", of.cache && show(of.cache)], ["Resumed", of.resumed && show(of.resumed)],
  ]} /><//>
`;

const USAGE = { prompt_tokens: "Input tokens", completion_tokens: "Output tokens", input: "Input tokens", output: "Output tokens", total_tokens: "Total tokens", cached_input: "Cached input" };

const Use = ({ of }) => html`
  <${Card} title="Use"><${Pairs} of=${[
    ...Object.entries(of.usage ?? {}).filter(([, value]) => typeof value === "number").map(([name, value]) => [USAGE[name] ?? name.replaceAll("_", " "), number(value)]),
    ["Cost", dollars(of.cost)], ["Stream", of.stream === undefined ? undefined : of.stream ? "yes" : "no"], ["Time taken", ms(of.ms)],
    ["First token", of.first_token_ms === null ? undefined : ms(of.first_token_ms)], ["At providers", of.provider_ms === null ? undefined : ms(of.provider_ms)], ["Sluice's own", ms(of.overhead_ms)],
    ["Calls of models", of.model_calls > 1 ? number(of.model_calls) : undefined], ["Calls of tools", of.tool_calls ? number(of.tool_calls) : undefined],
  ]} /><//>
`;

/** The attempts one after the other: the log has how long each took, not when it began. */
function Timeline({ of }) {
  const attempts = of.attempts ?? [];
  const sum = attempts.reduce((all, one) => all + (one.ms ?? 0), 0);
  const whole = Math.max(sum, of.ms ?? 0, 1);
  let begin = 0;
  const rows = attempts.map((one) => {
    const row = { ...one, begin };
    begin += one.ms ?? 0;
    return row;
  });
  return html`
    <${Card} title="Attempts" note=${attempts.length ? `${attempts.length} in ${ms(of.ms)}. Each bar is as long as its attempt${sum > (of.ms ?? 0) * 1.05 ? "; some ran at the same time" : ""}.` : ""}>
      ${attempts.length ? html`<ol class="plain-list timeline">${rows.map((one, n) => html`<${Attempt} key=${n} of=${one} number=${n + 1} whole=${whole} />`)}</ol>
          ${of.ms - sum >= 1 && html`<p class="note">${ms(of.ms - sum)} besides: ${attempts.length > 1 ? "the pauses between attempts, and " : ""}Sluice's own work.</p>`}`
        : html`<p class="empty">No provider was asked.</p>`}
    <//>
  `;
}

function Attempt({ of, number: n, whole }) {
  const good = !of.class || ["ok", "success"].includes(of.class);
  return html`
    <li>
      <span class="row"><span class="dim">${n}</span> <strong>${of.model}</strong> <${Badge} kind=${good ? "ok" : of.class === "cancelled" ? "none" : "bad"}>${good ? "answered" : of.class}<//>
        ${of.status ? html`<span class="note">status ${show(of.status)}</span>` : ""}<span class="num">${ms(of.ms)}</span></span>
      <span class="bar-track" aria-hidden="true"><span class=${cx("span", !good && "bad")} style=${{ marginLeft: `${(100 * of.begin) / whole}%`, width: `${Math.max(0.6, (100 * (of.ms ?? 0)) / whole)}%` }}></span></span>
      ${of.cause && html`<span class="note">${show(of.cause)}</span>`}
    </li>
  `;
}
