// The page History: the rule sets that were in force, what changed in each, and the way back to one of them.
import { api, segment, useApi } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { html, useState } from "../lib/html.js";
import { go, href } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Button, Card, Choice, Code, Loaded, Mono, Page, Pairs, Time } from "../lib/ui.js";
import { changesOf } from "../rules/changes.js";
import { Changes, counts } from "../rules/diff.js";
import { begin, isDirty } from "../rules/draft.js";
import { pretty } from "../rules/json.js";

const PAGE = 50;

export default function History({ path }) {
  return path.length ? html`<${Entry} key=${path[0]} id=${path[0]} />` : html`<${List} />`;
}

const COLUMNS = [
  { id: "number", label: "Number", value: (row) => html`<a href=${href("history", [String(row.number)])}>${row.number}</a>` },
  { id: "at", label: "Time", value: (row) => html`<span class="nowrap"><${Time} value=${row.at} /></span>` },
  { id: "revision", label: "Revision", value: (row) => html`<span class="nowrap"><${Mono}>${row.revision}<//></span>` },
  { id: "message", label: "Message", wide: true, value: (row) => row.message || html`<span class="dim">none</span>` },
  { id: "changes", label: "What changed", wide: true, value: (row) => html`<${Names} of=${row.changes} more=${row.more} />` },
];

function List() {
  const [older, setOlder] = useState([]);
  const [end, setEnd] = useState(false);
  const first = useApi((signal) => api.get("history", { limit: PAGE }, { signal }));
  const rows = [...(first.data?.data ?? []), ...older];
  const more = async () => {
    const { data } = await api.get("history", { limit: PAGE, before: rows.at(-1).number });
    setOlder([...older, ...data]);
    setEnd(data.length < PAGE);
  };
  const complete = end || (first.data?.data ?? []).length < PAGE;
  return html`
    <${Page} title="History" lead="Every rule set that was in force, the newest first, whoever wrote it: this console, the command line, or a person in DynamoDB.">
      <${Loaded} of=${first}>${() => html`
        <${Card} flush title="Revisions">
          <${Table} caption="Revisions" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.number} empty="No revision has been kept yet." />
        <//>
        ${!complete && html`<div><${More} load=${more} /></div>`}
      `}<//>
    <//>
  `;
}

function More({ load }) {
  const [state, setState] = useState({});
  const run = () => {
    setState({ busy: true });
    load().then(() => setState({}), (error) => setState({ error }));
  };
  return html`<${Button} busy=${state.busy} onClick=${run}>Older<//>${state.error && html`<p class="field-error" role="alert">${state.error.message}</p>`}`;
}

const MOST = 8; // names of each change

/** The names of what an entry changed. `more`: how many the server left out. */
function Names({ of, more }) {
  const found = ["added", "changed", "removed"].filter((change) => of[change].length);
  if (!found.length) return html`<span class="dim">nothing</span>`;
  return html`
    ${found.map((change) => {
      const names = of[change];
      const rest = names.length > MOST ? ` and ${names.length - MOST} more` : "";
      return html`<div key=${change}><span class="dim">${change}</span> ${names.slice(0, MOST).join(", ")}${rest}</div>`;
    })}
    ${more > 0 && html`<div class="dim">and ${more} others</div>`}
  `;
}

const COMPARED = [["before", "the one before"], ["now", "the rules as they are now"]];

function Entry({ id }) {
  const entry = useApi((signal) => api.get(`history/${segment(id)}`, {}, { signal }), [id]);
  const back = html`<a href=${href("history")}>All revisions</a>`;
  return html`
    <${Page} title=${`Revision ${entry.data?.revision ?? id}`} lead=${back} actions=${entry.data && html`<${RollBack} to=${entry.data} />`}>
      <${Loaded} of=${entry}>${(of) => html`<${About} of=${of} /><${Compared} of=${of} />
        <details class="card"><summary>All ${of.records.length} records as JSON</summary><${Code} label="Records" text=${pretty(of.records)} /></details>`}<//>
    <//>
  `;
}

const About = ({ of }) => html`
  <${Card}><${Pairs} of=${[
    ["Number", of.number], ["Adopted", html`<${Time} value=${of.at} />`], ["Message", of.message || html`<span class="dim">none</span>`],
  ]} /><//>
`;

function Compared({ of }) {
  const [against, setAgainst] = useState("before");
  const other = useApi(async (signal) => ({ against, ...(await readOther(of, against, signal)) }), [against, of.number]);
  const ready = other.data?.against === against; // else these are the records of the other choice
  const changes = !ready ? [] : against === "now" ? changesOf(of.records, other.data.records) : changesOf(other.data.records, of.records);
  return html`
    <${Card} title="What changed" note=${ready ? counts(changes) : ""} actions=${html`<${Choice} label="Compare with" options=${COMPARED} value=${against} onChange=${setAgainst} />`}>
      <${Loaded} of=${other}>${() => html`
        ${ready && other.data.gone && html`<p class="note">The one before is not kept any more, so every record counts as added.</p>`}
        ${ready && html`<${Changes} of=${changes} empty=${against === "now" ? "The rules are the same now." : "Nothing is changed."} />`}`}<//>
    <//>
  `;
}

/** The records to compare an entry with; `gone` if they are not kept any more. */
async function readOther(of, against, signal) {
  if (against === "now") return api.get("rules", {}, { signal });
  if (of.number === 1) return { records: [] };
  try {
    return await api.get(`history/${of.number - 1}`, {}, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return { records: [], gone: true };
  }
}

/** Makes the old set the draft; it is saved as any other one is. */
function RollBack({ to }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const load = async () => {
    setBusy(true);
    try {
      const now = await api.get("rules");
      begin(now.revision, now.records, to.records, `Roll back to ${to.revision}`);
      go("rules", [], { review: 1 });
    } finally {
      setBusy(false);
    }
  };
  const start = () => (isDirty() ? setAsking(true) : load().catch(setError));
  return html`
    <${Button} write busy=${busy} onClick=${start}>Roll back to this<//>
    ${error && html`<p class="field-error" role="alert">${error.message}</p>`}
    ${asking && html`<${Confirm} title="Replace your draft?" label="Replace it" kind="danger" action=${load} onClose=${() => setAsking(false)}>
      <p>You have changes of the rules that are not saved. They would be lost.</p><//>`}
  `;
}
