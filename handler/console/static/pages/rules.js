// The page Rules: the records, the editor of one of them, and beside both what the draft would do.
//
// rules/            draft, check and save; list, form and its widgets; try, replay, tests; the pure parts
// The draft (rules/draft.js) is what everything in here shows; the table is read once and when it has changed.
import { api, gateway, TYPING, useApi } from "../lib/api.js";
import { Confirm, Dialog } from "../lib/dialog.js";
import { html, useEffect, useState } from "../lib/html.js";
import { go, href, replace } from "../lib/router.js";
import { Button, Card, Failure, Loading, Mono, Notice, Page, ReadOnly, Tabs } from "../lib/ui.js";
import { nameOf } from "../rules/changes.js";
import { counts } from "../rules/diff.js";
import { addRecord, adopt, discard, draft, draftChanges, freeId, isDirty, removeRecord, setRecord } from "../rules/draft.js";
import { issuesOf, RecordForm } from "../rules/form.js";
import { KINDS, NEW } from "../rules/kinds.js";
import { duplicate, isOff, RuleList, toggle } from "../rules/list.js";
import { Replay } from "../rules/replay.js";
import { Review, TakeIn } from "../rules/save.js";
import { Tests } from "../rules/tests.js";
import { Try } from "../rules/try.js";
import { Json } from "../rules/widgets.js";

let opened = { name: "", index: -1, turn: -1 }; // the record in the editor: its id may change there

/** The path of a record's address. Its kind and id may be anything while they are edited. */
const pathOf = (record) => [String(record.kind ?? "") || "?", String(record.id ?? "")].filter(Boolean);

/** The index of the record that the address names; -1: none. */
function indexOf(path, of) {
  const name = path.join("\n");
  if (opened.name !== name || opened.turn !== of.turn) {
    opened = { name, index: of.records.findIndex((record) => pathOf(record).join("\n") === name), turn: of.turn };
  }
  return opened.index < of.records.length ? opened.index : -1;
}

export default function Rules({ path, query }) {
  const loaded = useApi((signal) => api.get("rules", {}, { signal }));
  const keys = useApi((signal) => api.get("keys", {}, { signal }));
  const models = useApi((signal) => gateway.get("models", {}, { signal }));
  const of = draft.use();
  const records = of?.records;
  const checked = useApi((signal) => api.post("rules/check", { records }, { signal }), [records], { pause: TYPING, active: !!records });
  const [dialog, setDialog] = useState(null); // review, discard, take-in
  useEffect(() => loaded.data && adopt(loaded.data), [loaded.data]);
  useEffect(() => query.review && of && setDialog("review"), [query.review, !of]);
  if (!of) return html`<${Page} title="Rules"><${Failure} error=${loaded.error} retry=${loaded.reload} />${!loaded.error && html`<${Loading} />`}<//>`;
  const changed = [loaded.data?.revision, checked.data?.table].some((one) => one && one !== of.base) && isDirty(of);
  const close = () => {
    setDialog(null);
    if (query.review) replace("rules", path);
  };
  const index = path.length ? indexOf(path, of) : -1;
  const shared = { of, checked, path, query, keys, loaded };
  return html`
    ${path.length ? html`<${Editor} key=${`at ${index}`} index=${index} ...${shared} />` : html`<${List} ...${shared} />`}
    ${changed && html`<${Notice} kind="warn" actions=${html`<${Button} onClick=${() => setDialog("take-in")}>See what changed<//>`}>The table has changed since you began to edit. Nothing of yours is lost.<//>`}
    <${DraftBar} of=${of} checked=${checked} open=${setDialog} />
    <datalist id="known-models">${(models.data?.data ?? []).map(({ id }) => html`<option key=${id} value=${id} />`)}</datalist>
    ${dialog === "review" && html`<${Review} checked=${checked} onClose=${close} onSaved=${() => (close(), loaded.reload())} />`}
    ${dialog === "take-in" && html`<${TakeIn} onClose=${close} onTaken=${() => (close(), loaded.reload())} />`}
    ${dialog === "discard" && html`<${Confirm} title="Discard the draft?" label="Discard" kind="danger" onClose=${close}
      action=${async () => (discard(), loaded.reload(), go("rules"))}><p>${counts(draftChanges(of))} will be lost. The table stays as it is.</p><//>`}
  `;
}

function List({ of, checked, query, keys, loaded }) {
  const { in_force: force, revision } = loaded.data ?? {};
  return html`
    <${Page} title="Rules" lead=${html`Revision <${Mono}>${of.base}<//>${force && force !== revision ? html`. This instance still decides by <${Mono}>${force}<//>.` : ""}`}
      actions=${html`<${NewRecord} />`}>
      <${ReadOnly} />
      <${Failure} error=${loaded.error} retry=${loaded.reload} />
      <${General} checked=${checked} of=${of} />
      <${RuleList} draft=${of} checked=${checked.data} stored=${loaded.data} query=${query} />
      <${Beside} ...${{ of, checked, keys }} />
    <//>
  `;
}

/** Problems that belong to no record of the draft, such as a set that is too large. */
function General({ checked, of }) {
  const names = new Set(of.records.map(nameOf));
  const others = (checked.data?.problems ?? []).filter((one) => !names.has(`${one.kind}/${one.id}`) && typeof one.index !== "number");
  return html`
    <${Failure} error=${checked.error} title="The draft could not be checked." />
    ${others.map((one) => html`<${Notice} kind="bad" key=${one.problem}>${one.kind ? `${one.kind}/${one.id}: ` : ""}${one.field}: ${one.problem}<//>`)}
  `;
}

function NewRecord() {
  const [open, setOpen] = useState(false);
  const add = (kind) => {
    const id = freeId(kind, `new-${kind}`);
    addRecord({ kind, id, ...structuredClone(NEW[kind]) });
    go("rules", [kind, id]);
  };
  return html`
    <${Button} kind="primary" onClick=${() => setOpen(true)}>New record<//>
    ${open && html`<${Dialog} title="New record" onClose=${() => setOpen(false)}>
      <ul class="plain-list kinds">${Object.entries(KINDS).map(([kind, { label, about }]) => html`<li key=${kind}>
        <button type="button" class="kind" onClick=${() => add(kind)}><strong>${label}</strong><span class="note">${about}</span></button></li>`)}</ul>
    <//>`}
  `;
}

let schemas = null; // 300 KB that do not change: asked for when the editor is first opened
const loadSchemas = () => (schemas ??= api.get("schema").catch((error) => {
  schemas = null;
  throw error;
}));

function Editor({ of, index, checked, path, keys }) {
  const schema = useApi(loadSchemas);
  const [removing, setRemoving] = useState(false);
  const record = of.records[index];
  const back = html`<a href=${href("rules")}>All records</a>`;
  if (!record) return html`<${Page} title="Rules" lead=${back}><${Notice} kind="warn">There is no record ${path.join("/")}.<//><//>`;
  const change = (next) => {
    const where = pathOf(next);
    if (where.join("\n") !== opened.name) {
      opened = { name: where.join("\n"), index, turn: of.turn };
      replace("rules", where);
    }
    setRecord(index, next);
  };
  const json = html`<${Json} field=${{ label: "The record as JSON", widget: "json", object: true }} value=${record} onChange=${(next) => next && change(next)}
    issues=${{ problems: [], warnings: [] }} path="" index=${index} rows=${Math.min(34, Math.max(14, JSON.stringify(record, null, 2).split("\n").length + 1))} />`;
  const actions = html`
    <${Button} onClick=${() => toggle(index, record)}>${isOff(record) ? "Enable" : "Disable"}<//>
    <${Button} onClick=${() => duplicate(record)}>Duplicate<//>
    <${Button} onClick=${() => setRemoving(true)}>Delete<//>`;
  return html`
    <${Page} title=${`${KINDS[record.kind]?.label ?? "Record"} ${record.id ?? ""}`} lead=${back} actions=${actions}>
      <${ReadOnly} />
      <${Failure} error=${checked.error} title="The draft could not be checked." />
      <div class="split">
        <${Card} title="Form" note=${KINDS[record.kind]?.about}><${RecordForm} record=${record} index=${index} schema=${schema.data?.kinds?.[record.kind]} issues=${issuesOf(checked.data, record, index)} onChange=${change} /><//>
        <div class="beside"><${Beside} ...${{ of, checked, keys }} first=${["json", "JSON", json]} /></div>
      </div>
    <//>
    ${removing && html`<${Confirm} title=${`Delete ${nameOf(record)}?`} label="Delete" kind="danger" onClose=${() => setRemoving(false)}
      action=${async () => (go("rules"), removeRecord(index))}><p>It is deleted from the table when you save.</p><//>`}
  `;
}

/** What the draft would do: tabs that are the same beside the list and beside the editor. */
function Beside({ of, checked, keys, first }) {
  const failing = (checked.data?.tests ?? []).filter((test) => !test.ok).length;
  const tabs = [
    ...(first ? [first] : []),
    ["try", "Try", html`<${Try} records=${of.records} keys=${keys.data?.data} />`],
    ["replay", "Replay", html`<${Replay} records=${of.records} dirty=${isDirty(of)} />`],
    ["tests", failing ? `Tests (${failing} ✗)` : "Tests", html`<${Tests} checked=${checked} />`],
  ];
  const [tab, setTab] = useState(tabs[0][0]);
  const [, , content] = tabs.find(([id]) => id === tab);
  return html`<${Card}><${Tabs} label="The draft" tabs=${tabs.map(([id, label]) => ({ id, label }))} value=${tab} onChange=${setTab}>${content}<//><//>`;
}

function DraftBar({ of, checked, open }) {
  if (!isDirty(of)) return null;
  const { problems = [], tests = [] } = checked.data ?? {};
  const [bad, failing, broken] = [problems.length, tests.filter((test) => !test.ok).length, Object.keys(of.texts).length];
  const faults = [bad && `${bad} ${bad === 1 ? "problem" : "problems"}`, failing && `${failing} ${failing === 1 ? "test fails" : "tests fail"}`, broken && "a text that is no JSON"].filter(Boolean).join(", ");
  return html`
    <div class="draft-bar" role="region" aria-label="Unsaved changes">
      <p><strong>Not saved:</strong> ${counts(draftChanges(of))}${faults && html`. <span class="field-error">${faults}</span>`}${!of.kept && html`. <span class="field-error">Too large to survive a reload.</span>`}</p>
      <div class="actions">
        <${Button} onClick=${() => open("discard")}>Discard<//>
        <${Button} kind="primary" onClick=${() => open("review")}>Review and save<//>
      </div>
    </div>
  `;
}
