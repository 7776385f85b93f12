// API keys: the list, one key with its limits, and creating, rotating, disabling and editing keys.
//
// #/keys is the list, #/keys/ID one key.
import { api, segment, useApi } from "../lib/api.js";
import { Confirm, Dialog } from "../lib/dialog.js";
import { compact, dollars, duration, number } from "../lib/format.js";
import { CheckField, SelectField, TextField } from "../lib/forms.js";
import { html, useState } from "../lib/html.js";
import { href } from "../lib/router.js";
import { beginSession } from "../lib/session.js";
import { Table } from "../lib/table.js";
import { notify } from "../lib/toast.js";
import { Badge, Button, Card, Code, Empty, Loaded, Meter, Mono, Notice, Page, Pairs, ReadOnly, Time } from "../lib/ui.js";
import { KeyForm, fieldsOf, fieldErrors } from "./key_form.js";

const STATES = { on: "ok", disabled: "none", expired: "warn", replaced: "warn" };

export default function Keys({ path, info }) {
  return path.length ? html`<${OneKey} key=${path[0]} id=${path[0]} info=${info} />` : html`<${KeyList} />`;
}

const State = ({ record }) => html`<${Badge} kind=${record.problem ? "bad" : STATES[record.state]}>${record.problem ? "unreadable" : record.state}<//>`;
const models = (record) => (record.models === "all" || !record.models ? "all" : record.models.length ? record.models.join(", ") : "none");

const COLUMNS = [
  { id: "id", label: "Key", sort: (key) => key.id, wide: true,
    value: (key) => html`<a href=${href("keys", [key.id])}>${key.name || key.id}</a>${key.name && html`<br /><span class="dim">${key.id}</span>`}` },
  { id: "state", label: "State", sort: (key) => key.state, value: (key) => html`<${State} record=${key} />` },
  { id: "project", label: "Project", sort: (key) => key.project, value: (key) => key.project ?? "–" },
  { id: "scopes", label: "Scopes", value: (key) => key.scopes?.join(", ") ?? "–" },
  { id: "models", label: "Models", wide: true, value: models },
  { id: "last", label: "Last used", sort: (key) => key.last_used ?? "", value: (key) => key.last_used ?? html`<span class="dim">never</span>` },
  { id: "expires", label: "Expires", sort: (key) => key.expires_at ?? "9999", value: (key) => (key.expires_at ? html`<${Time} value=${key.expires_at} />` : html`<span class="dim">never</span>`) },
];

function KeyList() {
  const keys = useApi((signal) => api.get("keys", {}, { signal }));
  const [making, setMaking] = useState(false);
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const fits = (key) => [key.id, key.name, key.project, key.state].some((one) => String(one ?? "").toLowerCase().includes(wanted));
  return html`
    <${Page} title="Keys" lead="API keys of callers. The gateway stores only a hash of each, so a key is shown once, when it is created."
      actions=${html`<${Button} kind="primary" write onClick=${() => setMaking(true)}>Create a key<//>`}>
      <${ReadOnly} />
      <${Card} flush>
        <${Loaded} of=${keys} title="The keys cannot be read.">${({ data, truncated }) => html`
          ${truncated && html`<${Notice} kind="warn">There may be more keys: these are ${number(data.length)}.<//>`}
          ${data.length > 6 && html`<div class="filter"><${TextField} label="Filter by id, name, project or state" hideLabel type="search" placeholder="Filter by id, name, project or state" value=${text} onInput=${setText} /></div>`}
          <${Table} caption="API keys" columns=${COLUMNS} rows=${data.filter(fits)} rowKey=${(key, at) => `${key.id} ${at}`}
            empty=${wanted ? "No key fits the filter." : "There are no keys yet."} />`}<//>
      <//>
      ${making && html`<${CreateKey} onClose=${() => setMaking(false)} onCreated=${keys.reload} />`}
    <//>
  `;
}

function CreateKey({ onClose, onCreated }) {
  const [form, setForm] = useState({ name: "", project: "", scope: "chat", models: "", expires: "" });
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState(null);
  const make = async (event) => {
    event?.preventDefault();
    setBusy(true);
    setErrors({});
    try {
      setMade(await api.post("keys", fieldsOf(form)));
      onCreated();
    } catch (error) {
      setErrors(fieldErrors(error));
    }
    setBusy(false);
  };
  if (made) return html`<${NewKey} made=${made} onClose=${onClose} />`;
  return html`
    <${Dialog} title="Create a key" onClose=${onClose} footer=${html`<${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="primary" busy=${busy} onClick=${make}>Create the key<//>`}>
      <form class="stack" onSubmit=${make}><${KeyForm} form=${form} errors=${errors} onChange=${setForm} all /><button hidden></button></form>
    <//>
  `;
}

/** A key that was created or rotated: it is shown now and never again. */
const NewKey = ({ made, onClose }) => html`
  <${Dialog} title="Your new key" onClose=${onClose} footer=${html`<${Button} kind="primary" onClick=${onClose}>I have copied it<//>`}>
    <${Notice} kind="warn">Copy it now: it is shown only once.<//>
    <${Code} wrap label=${`API key of ${made.record.id}`} text=${made.key} />
    ${made.old_until && html`<p>The old key works until <${Time} value=${made.old_until} />.</p>`}
    <p class="note">Settings of clients to paste are on <a href=${href("connect")} onClick=${onClose}>Connect</a>.</p>
  <//>
`;

function OneKey({ id, info }) {
  const keys = useApi((signal) => api.get(`keys/${segment(id)}`, {}, { signal }));
  const [record, ...replaced] = keys.data?.data ?? [];
  return html`
    <${Page} title=${record?.name || id} lead=${html`<a href=${href("keys")}>All keys</a> · ${id}`}
      actions=${record && html`<${Actions} record=${record} info=${info} reload=${keys.reload} />`}>
      <${ReadOnly} />
      <${Loaded} of=${keys} title="The key cannot be read:">${() => html`
        ${record.problem && html`<${Notice} kind="bad" title="This record cannot be read, so the key is refused.">${record.problem}<//>`}
        <div class="columns">
          <${Details} record=${record} replaced=${replaced} />
          <${Edit} key=${JSON.stringify(record)} record=${record} reload=${keys.reload} />
        </div>
        <${Limits} id=${id} />
      `}<//>
    <//>
  `;
}

const Details = ({ record, replaced }) => html`
  <${Card} title="Details">
    <${Pairs} of=${[
      ["State", html`<${State} record=${record} />`],
      ["Project", record.project ?? "–"],
      ["Scopes", record.scopes?.join(", ") ?? "–"],
      ["Models", models(record)],
      ["Created", html`<${Time} value=${record.created_at || null} />`],
      ["Expires", html`<${Time} value=${record.expires_at} />`],
      ["Last used", record.last_used ?? html`<span class="dim">never</span>`],
      ...replaced.map((old) => ["Replaced key", old.state === "replaced" ? html`works until <${Time} value=${old.expires_at} />` : old.state]),
      ["Metadata", record.metadata && html`<${Mono}>${JSON.stringify(record.metadata)}<//>`],
    ]} />
    <p class="note"><a href=${href("requests", [], { key: record.id })}>The newest requests of this key</a></p>
  <//>
`;

function Edit({ record, reload }) {
  const [form, setForm] = useState({
    name: record.name ?? "",
    models: Array.isArray(record.models) ? record.models.join("\n") : "",
    none: Array.isArray(record.models) && !record.models.length,
    expires: record.expires_at?.slice(0, 10) ?? "",
  });
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState(false);
  const save = async (event) => {
    event.preventDefault();
    setBusy(true);
    setErrors({});
    try {
      const { models: list, ...fields } = fieldsOf(form, record);
      await api.patch(`keys/${segment(record.id)}`, { ...fields, models: list ?? null, expires_at: fields.expires_at ?? null });
      notify("Saved. Instances take it up within a minute.");
      reload();
    } catch (error) {
      setErrors(fieldErrors(error));
    }
    setBusy(false);
  };
  return html`
    <${Card} title="Edit">
      <form class="stack" onSubmit=${save}>
        <${KeyForm} form=${form} errors=${errors} onChange=${setForm} />
        <${CheckField} label="No models at all" hint="The key is kept, and may call none." value=${form.none} onChange=${(none) => setForm({ ...form, none })} />
        <div class="actions"><${Button} kind="primary" type="submit" write busy=${busy}>Save<//></div>
      </form>
    <//>
  `;
}

const OVERLAPS = [["0m", "at once"], ["1h", "in an hour"], ["24h", "in a day"], ["7d", "in 7 days"], ["30d", "in 30 days"]];

function Actions({ record, info, reload }) {
  const [asked, setAsked] = useState(null);
  const [overlap, setOverlap] = useState("24h");
  const [made, setMade] = useState(null);
  const path = `keys/${segment(record.id)}`;
  const close = () => setAsked(null);
  const turn = async (enabled) => {
    await api.patch(path, { enabled });
    notify(enabled ? "The key is enabled." : "The key is disabled. Instances that know it refuse it within a minute.");
    reload();
  };
  const rotate = async () => {
    const next = await api.post(`${path}/rotate`, { overlap });
    if (record.id === info.key.id) beginSession(next.key, info); // the key of this tab ends
    setMade(next);
    reload();
  };
  const disabled = record.state === "disabled";
  return html`
    <${Button} write onClick=${() => setAsked("rotate")}>Rotate<//>
    ${disabled
      ? html`<${Button} write onClick=${() => turn(true).catch((error) => notify(error.message, "bad"))}>Enable<//>`
      : html`<${Button} write why=${record.id === info.key.id ? "This is the key that you use here. Disable it with another one, or rotate it." : null} onClick=${() => setAsked("disable")}>Disable<//>`}
    ${asked === "disable" && html`<${Confirm} title=${`Disable ${record.id}?`} kind="danger" label="Disable" action=${() => turn(false)} onClose=${close}>
      <p>Requests with this key are refused with 401. It can be enabled again.</p><//>`}
    ${asked === "rotate" && html`<${Confirm} title=${`Rotate ${record.id}?`} label="Create the new key" action=${rotate} onClose=${close}>
      <p>A new key with the same id, rights and limits is created. Nothing that names the key has to change.</p>
      <${SelectField} label="The old key stops working" options=${OVERLAPS} value=${overlap} onChange=${setOverlap} /><//>`}
    ${made && html`<${NewKey} made=${made} onClose=${() => setMade(null)} />`}
  `;
}

const amount = ({ unit }, value) => (unit === "usd" ? dollars(value) : compact(value));
const allows = (row) => `${amount(row, row.limit)}${row.unit === "usd" ? "" : ` ${row.unit}`} a ${row.per}${row.each ? `, for each ${row.each}` : ""}`;

function Used({ row }) {
  if (row.used === null) return html`<span class="dim">Counted for each ${row.each}, which requests name.</span>`;
  const text = `${amount(row, row.used)} of ${amount(row, row.limit)}, ${amount(row, row.left)} left`;
  return html`<${Meter} label=${`Used of ${row.kind} ${row.id}`} used=${row.used} limit=${row.limit} text=${text} />`;
}

const LIMITS = [
  { id: "record", label: "Record", sort: (row) => row.id, value: (row) => html`<a href=${href("rules", [row.kind, row.id])}>${row.id}</a> <span class="dim">${row.kind}</span>` },
  { id: "what", label: "Allows", value: (row) => html`${allows(row)}${row.when?.length > 0 && html`<br /><span class="dim">when ${row.when.join(" and ")}</span>`}` },
  { id: "used", label: "Used", wide: true, sort: (row) => row.used / row.limit, value: (row) => html`<${Used} row=${row} />` },
  { id: "resets", label: "Resets in", align: "right", value: (row) => duration(row.resets_in) },
];

function Limits({ id }) {
  const limits = useApi((signal) => api.get(`keys/${segment(id)}/limits`, {}, { signal }), [id], { every: 15 });
  return html`
    <${Card} title="Limits and budgets" flush note="Those whose scope covers this key, in their present window."
      actions=${html`<${Button} kind="quiet" class="small" onClick=${limits.reload}>Refresh<//>`}>
      <${Loaded} of=${limits} title="The limits cannot be read.">${({ data }) =>
        data.length
          ? html`<${Table} caption="Limits and budgets" columns=${LIMITS} rows=${data} rowKey=${(row) => `${row.kind}/${row.id}/${row.per}/${row.unit}`} />`
          : html`<${Empty}>No limit or budget applies to this key.<//>`}<//>
    <//>
  `;
}
