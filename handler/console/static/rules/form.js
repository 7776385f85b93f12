// The form of one record, made from its kind's schema and the table of kinds.js.
import { html, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { Notice } from "../lib/ui.js";
import { Conditions } from "./conditions.js";
import { isObject } from "./json.js";
import { COMMON, factsOf, fieldsOf, KINDS } from "./kinds.js";
import { at, Widget } from "./widgets.js";

const SCOPE = {
  name: "scope", label: "Scope", widget: "group", hint: "To whom it applies; all that are given must match. Several: between commas. Empty: everyone.",
  of: [
    { name: "project", label: "Project", widget: "names" }, { name: "key", label: "Key (id)", widget: "names" },
    { name: "function", label: "Function", widget: "names" },
  ],
};
const ENFORCED = new Set(["access", "limit", "budget"]); // their scope takes no function
const ID = { name: "id", label: "Id", widget: "text", required: true };
const ENABLED = { name: "enabled", label: "Enabled", widget: "flag", unset: true };
const NOTE = { name: "note", label: "Note", widget: "text", hint: "For people." };
const PRIORITY = { name: "priority", label: "Priority", widget: "number", hint: "Among equally specific records the higher goes first. Empty: 0.", more: true };

/** `issues`: {problems, warnings} of this record. `onChange` gets the whole record. */
export function RecordForm({ record, index, schema, issues, onChange }) {
  const { kind } = record;
  const set = (name) => (value) => {
    const { [name]: _, ...others } = record;
    onChange(value === undefined ? others : name in record ? { ...record, [name]: value } : { ...others, [name]: value });
  };
  const fields = fieldsOf(kind, schema);
  const unscoped = KINDS[kind]?.unscoped;
  const shown = new Set(fields.map(({ name }) => name));
  const unknown = Object.keys(record).filter((name) => !COMMON.has(name) && !shown.has(name)).map((name) => ({ name, label: `${name} (not a field of this kind)`, widget: "json" }));
  const widget = (field) => html`<${Widget} key=${field.name} field=${field} value=${record[field.name]} onChange=${set(field.name)}
    issues=${issues} path=${field.name} index=${index} />`;
  const scope = ENFORCED.has(kind) && !record.scope?.function ? { ...SCOPE, of: SCOPE.of.slice(0, 2) } : SCOPE;
  const general = at({ problems: issues.problems.filter(({ field }) => ["record", "kind"].includes(field)), warnings: issues.warnings.filter(({ field }) => field === "record") }, "record");
  const kindIssue = issues.problems.find(({ field }) => field === "kind");
  return html`
    <div class="stack record-form">
      ${(general.error || kindIssue) && html`<${Notice} kind="bad">This record ${general.error ?? kindIssue.problem}.<//>`}
      ${general.warning && html`<${Notice} kind="warn">This record ${general.warning}.<//>`}
      ${unknown.map(widget)}
      <div class="fields">${[ID, NOTE].map(widget)}</div>
      ${widget(ENABLED)}
      <${Fields} fields=${fields.filter((field) => !field.more)} ...${{ widget }} />
      ${!unscoped && widget(scope)}
      ${(!unscoped || record.when !== undefined) && html`<${Conditions} value=${record.when} onChange=${set("when")} issues=${issues} index=${index} facts=${factsOf(schema)} />`}
      <${More} key=${kind} fields=${[...fields.filter((field) => field.more), ...(unscoped ? [] : [PRIORITY])]} ...${{ record, issues, widget }} />
    </div>
  `;
}

const WIDE = new Set(["json", "group", "split"]);

/** Short fields side by side, long ones each in a row. */
function Fields({ fields, widget }) {
  const short = fields.filter((field) => !WIDE.has(field.widget));
  return html`
    ${short.length > 0 && html`<div class="fields">${short.map(widget)}</div>`}
    ${fields.filter((field) => WIDE.has(field.widget)).map(widget)}
  `;
}

/** Fields that few records have. Those that are set, or have a problem, are always shown. */
function More({ fields, record, issues, widget }) {
  const used = (field) => record[field.name] !== undefined || !!at(issues, field.name).error;
  const [open, setOpen] = useState([]); // a field that was added here stays, also without a value
  const element = useRef(null);
  useLayoutEffect(() => {
    const added = open.length && element.current.querySelector(`[data-field="${open.at(-1)}"]`);
    added && added.querySelector("input, select, textarea, button")?.focus();
  }, [open]);
  const shown = fields.filter((field) => used(field) || open.includes(field.name));
  const left = fields.filter((field) => !shown.includes(field));
  const marked = (field) => html`<div key=${field.name} data-field=${field.name}>${widget(field)}</div>`;
  return html`
    <div class="stack" ref=${element}><${Fields} fields=${shown} widget=${marked} /></div>
    ${left.length > 0 && html`<div class="row">
      <span class="label" id="more-fields">Add a field</span>
      ${left.map((field) => html`<button type="button" key=${field.name} class="chip" aria-describedby="more-fields"
        onClick=${() => setOpen([...open, field.name])}>${field.label}</button>`)}
    </div>`}
  `;
}

const NO_ISSUES = { problems: [], warnings: [] };

/** The issues of one record. Those of a draft also name its place in the set. */
export function issuesOf(checked, record, index) {
  if (!checked || !isObject(record)) return NO_ISSUES;
  const text = (value) => (typeof value === "string" ? value : "");
  const named = (issue) => text(issue.kind) === text(record.kind) && text(issue.id) === text(record.id);
  const is = (issue) => named(issue) || (issue.index === index && !issue.id);
  return { problems: (checked.problems ?? []).filter(is), warnings: (checked.warnings ?? []).filter(is) };
}
