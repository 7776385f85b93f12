// `when` as rows of a fact, an operator and a value.
import { html, useRef, useState } from "../lib/html.js";
import { Button } from "../lib/ui.js";
import { at, Json } from "./widgets.js";
import { isObject, same, show, typed } from "./json.js";

const FAMILIES = ["tags.", "metadata.", "header."];
const OPERATORS = [
  ["is", "is"], ["in", "is one of"], ["like", "is like (with *)"], ["not", "is not"], ["contains", "contains"], ["gt", "is more than"],
  ["gte", "is at least"], ["lt", "is less than"], ["lte", "is at most"], ["exists", "is present"],
];

const implied = (value) => (Array.isArray(value) ? "in" : typeof value === "string" && value.includes("*") ? "like" : "is");

/** The rows of `when`; an operator that is not written is the one that the value stands for. */
export function rowsOf(when) {
  return Object.entries(when ?? {}).flatMap(([fact, value]) =>
    isObject(value) ? Object.entries(value).map(([op, operand]) => ({ fact, op, value: operand })) : [{ fact, op: implied(value), value }],
  );
}

/** `when` of the rows, as short as it can be written. */
export function whenOf(rows) {
  const facts = new Map();
  for (const { fact, op, value } of rows) {
    if (!fact) continue;
    facts.set(fact, { ...facts.get(fact), [op]: value === undefined ? "" : value });
  }
  const short = (ops) => {
    const [[op, value], ...others] = Object.entries(ops);
    return !others.length && op === implied(value) ? value : ops;
  };
  return facts.size ? Object.fromEntries([...facts].map(([fact, ops]) => [fact, short(ops)])) : undefined;
}

const asText = (value) => (Array.isArray(value) ? value.map(show).join(", ") : show(value));
const ofText = (op, text) => {
  const list = text.split(",").map(typed).filter((one) => one !== undefined);
  return op === "in" ? list : op === "not" && list.length > 1 ? list : typed(text);
};

/** `facts`: by name, the values that a fact may have; from the schema of the kind. */
export function Conditions({ value, onChange, issues, index, facts }) {
  const [kept, setKept] = useState(rowsOf(value)); // also has rows without a fact, which `when` cannot have
  const heading = useRef(null);
  const editable = value === undefined || (isObject(value) && Object.values(value).every((one) => !isObject(one) || Object.values(one).every((two) => !isObject(two))));
  if (!editable) return html`<${Json} field=${{ label: "Conditions", widget: "json" }} ...${{ value, onChange, issues, index }} path="when" />`;
  const rows = same(whenOf(kept), value) ? kept : rowsOf(value);
  const change = (next) => {
    setKept(next);
    onChange(whenOf(next));
  };
  const set = (n, part) => change(rows.map((row, place) => (place === n ? { ...row, ...part } : row)));
  const mine = assigned(rows, issues);
  const { error, warning } = at(mine.others, "when");
  return html`
    <fieldset class="group">
      <legend ref=${heading} tabindex="-1">Conditions</legend>
      <p class="hint">All must hold. Without one, the record applies to every request of its scope.</p>
      ${error && html`<p class="field-error" role="alert">${error}</p>`}
      ${warning && html`<p class="field-warning">${warning}</p>`}
      ${rows.map((row, n) => html`<${Row} key=${n} row=${row} number=${n + 1} issues=${mine.rows[n]} choices=${facts.get(row.fact)} set=${(part) => set(n, part)}
        remove=${() => {
          change(rows.filter((_, place) => place !== n));
          heading.current?.focus();
        }} />`)}
      <div><${Button} class="small" onClick=${() => change([...rows, { fact: "", op: "is", value: undefined }])}>Add a condition<//></div>
      <datalist id="facts">${[...facts.keys(), ...(facts.has("user") || !facts.size ? FAMILIES : [])].map((fact) => html`<option key=${fact} value=${fact} />`)}</datalist>
    </fieldset>
  `;
}

const REPLACED = "A row below has the same fact and operator, and replaces this one.";

/** Each row's issues: those of its fact, and if the operator is in the path, only that operator's. */
function assigned(rows, issues) {
  const found = rows.map((row, n) => {
    const replaced = row.fact && rows.slice(n + 1).some(({ fact, op }) => fact === row.fact && op === row.op);
    return { problems: replaced ? [{ problem: REPLACED }] : [], warnings: [] };
  });
  const others = { problems: [], warnings: [] };
  for (const list of ["problems", "warnings"]) {
    for (const issue of issues[list]) {
      const score = ({ fact, op }) => {
        const path = `when.${fact}`;
        if (!fact || !(issue.field === path || issue.field.startsWith(`${path}.`) || issue.field.startsWith(`${path}[`))) return 0;
        return path.length + (issue.field.startsWith(`${path}.${op}`) ? 1 : 0);
      };
      const scores = rows.map(score);
      const best = Math.max(0, ...scores);
      if (best) found[scores.indexOf(best)][list].push(issue);
      else others[list].push(issue);
    }
  }
  return { rows: found, others };
}

function Row({ row, number, issues, choices, set, remove }) {
  const { fact, op, value, text } = row;
  const id = `condition-${number}`;
  const error = issues.problems.map(({ problem }) => problem).join(" ");
  const warning = issues.warnings.map(({ problem }) => problem).join(" ");
  const described = [error && `${id}-error`, warning && `${id}-warning`].filter(Boolean).join(" ") || undefined;
  const about = { "aria-describedby": described, "aria-invalid": error ? "true" : undefined };
  const retype = (next) => set({ op: next, value: next === "exists" ? true : ofText(next, text ?? asText(value)), text: next === "exists" ? undefined : text });
  return html`
    <div class=${error ? "condition field wrong" : "condition field"}>
      <input type="text" class="fact" aria-label=${`Fact ${number}`} list="facts" placeholder="fact, such as input_tokens" autocomplete="off" spellcheck=${false}
        ...${about} value=${fact} onInput=${(event) => set({ fact: event.target.value.trim() })} />
      <select aria-label=${`Operator ${number}`} value=${op} onChange=${(event) => retype(event.target.value)}>
        ${[...OPERATORS, ...(OPERATORS.some(([name]) => name === op) ? [] : [[op, op]])].map(([name, label]) => html`<option key=${name} value=${name} selected=${name === op}>${label}</option>`)}
      </select>
      ${op === "exists"
        ? html`<select aria-label=${`Value ${number}`} ...${about} value=${show(value)} onChange=${(event) => set({ value: event.target.value === "true" })}>
            <option value="true" selected=${value !== false}>yes</option><option value="false" selected=${value === false}>no</option></select>`
        : html`<input type="text" aria-label=${`Value ${number}`} list=${choices?.length ? `${id}-values` : undefined} autocomplete="off" spellcheck=${false} placeholder=${op === "in" ? "values, between commas" : "value"} ...${about}
            value=${text ?? asText(value)} onInput=${(event) => set({ text: event.target.value, value: ofText(op, event.target.value) })} />`}
      ${choices?.length > 0 && html`<datalist id=${`${id}-values`}>${choices.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}
      <${Button} kind="quiet" class="small" aria-label=${`Remove condition ${number}`} onClick=${remove}>Remove<//>
      ${error && html`<p class="field-error" id=${`${id}-error`} role="alert">${error}</p>`}
      ${warning && html`<p class="field-warning" id=${`${id}-warning`}>${warning}</p>`}
    </div>
  `;
}
