// The records in the order in which they are asked, with what they do and what is wrong with them.
import { Confirm } from "../lib/dialog.js";
import { SelectField, TextField } from "../lib/forms.js";
import { html, useMemo, useState } from "../lib/html.js";
import { go, href, replace } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Button, Card } from "../lib/ui.js";
import { nameOf } from "./changes.js";
import { addRecord, draftChanges, freeId, removeRecord, setRecord } from "./draft.js";
import { RecordLink } from "./explanation.js";
import { issuesOf } from "./form.js";
import { appliesTo, KINDS, summary } from "./kinds.js";

const OFF = new Set([false, "false", "no", "off", "0", 0]);
export const isOff = (record) => OFF.has(typeof record.enabled === "string" ? record.enabled.toLowerCase() : record.enabled);

export function toggle(index, record) {
  const { enabled: _, ...others } = record;
  setRecord(index, isOff(record) ? others : { ...record, enabled: false });
}

export function duplicate(record) {
  const copy = { ...record, id: freeId(record.kind, `${record.id}-copy`) };
  addRecord(copy);
  go("rules", [copy.kind, copy.id]);
}

/** `stored`: what GET rules says, of the stored records. */
export function RuleList({ draft, checked, stored, query }) {
  const { kind = "", q = "" } = query;
  const [removing, setRemoving] = useState(null);
  const rows = useMemo(() => rowsOf(draft, checked, stored), [draft, checked, stored]);
  const kinds = Object.keys(KINDS).filter((name) => rows.some((row) => row.record.kind === name));
  const shown = rows.filter((row) => (!kind || row.record.kind === kind) && (!q || row.text.includes(q.toLowerCase())));
  const filter = (part) => replace("rules", [], { ...query, ...part });
  return html`
    <${Card} flush title="Records" note="In the order in which they are asked. Of routes, logs and caches the first that matches applies; of the others every one.">
      <div class="filters">
        <${SelectField} label="Kind" value=${kind} onChange=${(value) => filter({ kind: value })} options=${[["", "all kinds"], ...kinds.map((name) => [name, KINDS[name].label])]} />
        <${TextField} label="Contains" type="search" value=${q} onInput=${(value) => filter({ q: value })} />
      </div>
      <${Table} caption="Records in their order" rows=${shown} rowKey=${(row) => row.index} columns=${columns(setRemoving)} empty=${rows.length ? "No record fits." : "There are no records yet. Without one, every key may use every model."} />
    <//>
    ${removing && html`<${Confirm} title=${`Delete ${nameOf(removing.record)}?`} label="Delete" kind="danger" onClose=${() => setRemoving(null)}
      action=${async () => removeRecord(removing.index)}><p>It is deleted from the table when you save.</p><//>`}
  `;
}

function rowsOf(draft, checked, { order = [], problems = [] } = {}) {
  const instead = new Map(problems.map((one) => [`${one.kind}/${one.id}`, one.instead]));
  const places = new Map(order.map((one, n) => [`${one.kind}/${one.id}`, { n, by: one.shadowed_by ?? [] }]));
  const kinds = Object.keys(KINDS);
  const changed = new Map(draftChanges(draft).map((one) => [`${one.kind}/${one.id}`, one.change]));
  const rows = draft.records.map((record, index) => {
    const name = nameOf(record);
    return {
      record, index, change: changed.get(name), issues: issuesOf(checked, record, index),
      by: places.get(name)?.by ?? [], instead: changed.has(name) ? null : instead.get(name), text: JSON.stringify(record).toLowerCase(),
      place: [(kinds.indexOf(record.kind) + 100) % 100, places.get(name)?.n ?? 1e6, index],
    };
  });
  return rows.sort((a, b) => a.place.reduce((found, n, i) => found || n - b.place[i], 0));
}

const columns = (remove) => [
  { id: "record", label: "Record", wide: true, value: ({ record }) => html`
      <a class="record" href=${href("rules", [String(record.kind), String(record.id)])}>${record.kind}/${record.id}</a>
      ${record.note && html`<p class="note clamp">${String(record.note)}</p>`}` },
  { id: "does", label: "What it does", wide: true, value: ({ record }) => summary(record) },
  { id: "for", label: "For", wide: true, value: ({ record }) => appliesTo(record) || (KINDS[record.kind]?.unscoped ? "" : html`<span class="dim">everyone</span>`) },
  { id: "state", label: "State", wide: true, value: (row) => html`<${State} ...${row} />` },
  { id: "do", label: "Actions", value: (row) => html`<${Actions} ...${row} remove=${() => remove(row)} />` },
];

function State({ record, change, issues, by, instead }) {
  const { problems, warnings } = issues;
  return html`
    <span class="badges">
      ${isOff(record) && html`<${Badge}>off<//>`}
      ${change && html`<${Badge} kind="info">${change}<//>`}
      ${problems.length > 0 && html`<${Badge} kind="bad">problem<//>`}
      ${!problems.length && warnings.length > 0 && html`<${Badge} kind="warn">warning<//>`}
      ${!isOff(record) && !change && !problems.length && !warnings.length && html`<${Badge} kind="ok">on<//>`}
    </span>
    ${problems.map((one) => html`<p class="field-error" key=${one.field}>${one.field}: ${one.problem}</p>`)}
    ${instead && html`<p class="note">In force: ${instead}.</p>`}
    ${warnings.filter((one) => !(by.length && one.field === "record")).map((one) => html`<p class="field-warning" key=${one.field + one.problem}>${one.field === "record" ? "" : `${one.field}: `}${one.problem}</p>`)}
    ${by.length > 0 && html`<p class="field-warning">never applies, because of ${by.map((one) => html`<${RecordLink} ...${one} />`)}</p>`}
  `;
}

function Actions({ record, index, remove }) {
  const name = nameOf(record);
  return html`<span class="actions tight">
    <${Button} kind="quiet" class="small" aria-label=${`${isOff(record) ? "Enable" : "Disable"} ${name}`} onClick=${() => toggle(index, record)}>${isOff(record) ? "Enable" : "Disable"}<//>
    <${Button} kind="quiet" class="small" aria-label=${`Duplicate ${name}`} onClick=${() => duplicate(record)}>Duplicate<//>
    <${Button} kind="quiet" class="small" aria-label=${`Delete ${name}`} onClick=${remove}>Delete<//>
  </span>`;
}
