// The page Requests: the newest lines of the log, and one of them with its decision and its attempts.
import { api, segment, TYPING, useApi } from "../lib/api.js";
import { dollars, ms, number, time } from "../lib/format.js";
import { CheckField, SelectField, TextField } from "../lib/forms.js";
import { cx, html, useState } from "../lib/html.js";
import { href, replace } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Button, Card, Code, Loaded, Mono, Notice, Page, Pairs } from "../lib/ui.js";
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

const COLUMNS = [
  { id: "at", label: "Time", value: (line) => html`<time datetime=${line.timestamp} title=${time(line.timestamp)}>${time(line.timestamp).split(" ")[1]}</time>` },
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
  const filter = { id, key, model, status, method: all || id ? "" : "POST" };
  const lines = useApi((signal) => api.get("requests", { limit: LIMIT, ...filter }, { signal }), Object.values(filter), { every: paused ? undefined : EVERY, pause: TYPING });
  const set = (name) => (value) => replace("requests", [], { ...query, [name]: value.trim() });
  const actions = html`<${Button} onClick=${() => setPaused(!paused)}>${paused ? "Resume" : "Pause"}<//><${Button} onClick=${lines.reload}>Refresh<//>`;
  return html`
    <${Page} title="Requests" lead=${paused ? "The newest requests. Paused." : `The newest requests, read again every ${EVERY} seconds.`} actions=${actions}>
      <${Card} flush>
        <div class="filters">
          <${TextField} label="Request id" value=${id} onInput=${set("id")} />
          <${TextField} label="Key (id)" value=${key} onInput=${set("key")} />
          <${TextField} label="Model" value=${model} onInput=${set("model")} />
          <${SelectField} label="Status" value=${status} options=${STATUSES} onChange=${set("status")} />
          <${CheckField} label="Also GET requests" value=${!!all} onChange=${(on) => set("all")(on ? "1" : "")} />
        </div>
        <${Loaded} of=${lines}>${(found) => html`<${Table} caption="Requests" columns=${COLUMNS} rows=${found.data} rowKey=${(line, n) => line.request_id ?? n}
          empty=${id || key || model || status ? "No recent request fits." : "There was no request lately."} />`}<//>
      <//>
      <${Elsewhere} />
    <//>
  `;
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
        <div class="columns"><${Decision} of=${line} /><${Usage} of=${line} /></div>
        <${Timeline} of=${line} />
        <details class="card"><summary>The line as JSON</summary><${Code} label="Line" text=${pretty(line)} /></details>`}<//>
      <${Elsewhere} id=${id} />
    <//>
  `;
}

const Decision = ({ of }) => html`
  <${Card} title="Decision"><${Pairs} of=${[
    ["Time", time(of.timestamp)], ["Request", `${of.method ?? ""} ${of.path ?? ""}`], ["Status", html`<${Status} of=${of} />`],
    ["Key", of.key && html`<${Mono}>${of.key}<//>`], ["Project", of.project], ["Asked for", of.asked_model || "no model"],
    [of.error ? "Model" : "Answered by", of.model && html`<strong>${of.model}</strong>`], ["Reason", of.reason],
    ["Rule", of.rule && html`<${RecordLink} kind="route" id=${of.rule} />`], ["Rules", of.revision && html`<${Mono}>${of.revision}<//>${of.stale ? " (stale)" : ""}`],
    ["Schema", of.schema && show(of.schema)], ["Cache", of.cache && show(of.cache)], ["Resumed", of.resumed && show(of.resumed)],
  ]} /><//>
`;

const USAGE = { input: "Input tokens", output: "Output tokens", cached_input: "Cached input" };

const Usage = ({ of }) => html`
  <${Card} title="Usage"><${Pairs} of=${[
    ...Object.entries(of.usage ?? {}).filter(([, value]) => typeof value === "number").map(([name, value]) => [USAGE[name] ?? name.replaceAll("_", " "), number(value)]),
    ["Cost", dollars(of.cost)], ["Stream", of.stream ? "yes" : "no"], ["Time taken", ms(of.ms)],
    ["First token", of.first_token_ms === null ? null : ms(of.first_token_ms)], ["At providers", of.provider_ms === null ? null : ms(of.provider_ms)], ["Sluice's own", ms(of.overhead_ms)],
    ["Calls of models", of.model_calls > 1 && number(of.model_calls)], ["Calls of tools", of.tool_calls > 0 && number(of.tool_calls)],
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
  const good = of.class === "ok";
  return html`
    <li>
      <span class="row"><span class="dim">${n}</span> <strong>${of.model}</strong> <${Badge} kind=${good ? "ok" : of.class === "cancelled" ? "none" : "bad"}>${good ? "answered" : of.class}<//>
        ${of.status ? html`<span class="note">status ${show(of.status)}</span>` : ""}<span class="num">${ms(of.ms)}</span></span>
      <span class="bar-track" aria-hidden="true"><span class=${cx("span", !good && "bad")} style=${{ marginLeft: `${(100 * of.begin) / whole}%`, width: `${Math.max(0.6, (100 * (of.ms ?? 0)) / whole)}%` }}></span></span>
      ${of.cause && html`<span class="note">${show(of.cause)}</span>`}
    </li>
  `;
}
