// The widgets of the form of a record. Each shows a value and the problem at its path, and calls `onChange` with
// the new value; `undefined` removes the field.
import { CheckField, Labelled, SelectField, TextField } from "../lib/forms.js";
import { html, useId, useState } from "../lib/html.js";
import { Button } from "../lib/ui.js";
import { draft, setText } from "./draft.js";
import { isObject, parse, pretty, same, show, typed } from "./json.js";

/** The problem and the warnings at a path, or below it unless another widget shows them. */
export function at(issues, path) {
  const below = ({ field }) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`);
  const text = (all) => all.filter(below).map(({ field, problem }) => (field === path ? problem : `${field.slice(path.length).replace(/^\./, "")}: ${problem}`)).join(" ");
  return { error: text(issues.problems) || undefined, warning: text(issues.warnings) || undefined };
}

/** The text of a value that is typed. It stays as typed as long as it means the value. */
function useTyped(value, format, read) {
  const [text, setTyped] = useState(format(value));
  return [same(read(text), value) ? text : format(value), setTyped];
}

function Typed({ field, value, onChange, issues, path, index, read, format = show, area, ...rest }) {
  const [text, setTyped] = useTyped(value, format, read);
  const change = (next) => {
    setTyped(next);
    onChange(read(next));
  };
  const about = { label: field.label, hint: field.hint, required: field.required, ...at(issues, path) };
  const id = useId();
  if (!area) {
    const choices = !rest.list && field.choices?.length ? field.choices : null; // of a text, they are suggestions
    return html`<${TextField} ...${about} list=${choices ? id : undefined} ...${rest} value=${text} onInput=${change} />
      ${choices && html`<datalist id=${id}>${choices.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}`;
  }
  return html`<${Labelled} ...${about}>${(attributes) => html`<textarea class="code" spellcheck=${false} autocomplete="off"
    ...${rest} ...${attributes} rows=${Math.min(8, text.split("\n").length + 1)} value=${text} onInput=${(event) => change(event.target.value)}></textarea>`}<//>`;
}

const Text = (props) => html`<${Typed} ...${props} read=${(text) => (text === "" ? undefined : text)} />`;
const Number_ = (props) => html`<${Typed} ...${props} read=${typed} inputmode="decimal" />`;
const Model = (props) => html`<${Text} ...${props} list="known-models" />`;

const toLines = (value) => (Array.isArray(value) ? value.map(show).join("\n") : show(value));
const ofLines = (text) => {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length ? lines : undefined;
};

/** Several texts, one on each line. `field.none`: an empty list has a meaning of its own. */
function Lines(props) {
  const { field, value, onChange } = props;
  const empty = Array.isArray(value) && !value.length;
  return html`
    <div class="stack tight">
      ${!(field.none && empty) && html`<${Typed} ...${props} area format=${toLines} read=${(text) => (empty && !text.trim() ? value : ofLines(text))} />`}
      ${field.none && empty && html`<span class="label">${field.label}</span>`}
      ${field.none && html`<${CheckField} label=${field.none} value=${empty} onChange=${(none) => onChange(none ? [] : undefined)} />`}
    </div>
  `;
}

/** A few names, between commas. */
function Names(props) {
  const read = (text) => {
    const names = text.split(",").map((name) => name.trim()).filter(Boolean);
    return names.length > 1 ? names : names[0];
  };
  return html`<${Typed} ...${props} format=${(value) => (Array.isArray(value) ? value.map(show).join(", ") : show(value))} read=${read} />`;
}

function Choice({ field, value, onChange, issues, path }) {
  const options = [...(field.choices ?? [])];
  if (value !== undefined && !options.includes(value)) options.push(show(value));
  return html`<${SelectField} label=${field.label} hint=${field.hint} required=${field.required} ...${at(issues, path)} value=${show(value)}
    options=${[["", field.required ? "choose" : "not set"], ...options]} onChange=${(text) => onChange(text || undefined)} />`;
}

/** True or false; what it is when the field is absent is `field.unset`. */
function Flag({ field, value, onChange, issues, path }) {
  const unset = field.unset ?? false;
  const { error, warning } = at(issues, path);
  return html`
    <div class="field">
      <${CheckField} label=${field.label} hint=${field.hint} value=${value === undefined ? unset : value}
        onChange=${(on) => onChange(on === unset ? undefined : on)} />
      ${(error || warning) && html`<p class=${error ? "field-error" : "field-warning"} role="alert">${error ?? warning}</p>`}
    </div>
  `;
}

/** Any JSON. A text that cannot be read is kept in the draft and changes nothing. */
export function Json({ field, value, onChange, issues, path, index, rows, class: name }) {
  const kept = draft.use()?.texts[`${index} ${path}`];
  const [text, setTyped] = useTyped(value, pretty, (typed_) => parse(typed_).value);
  const shown = kept ?? text;
  const change = (next) => {
    setTyped(next);
    const { value: found, error } = next.trim() === "" ? {} : parse(next);
    const wrong = error ?? (field.object && !isObject(found) ? "a record is an object" : null);
    setText(index, path, wrong ? next : undefined);
    if (!wrong) onChange(found);
  };
  const { error: problem, warning } = at(issues, path);
  const error = kept === undefined ? problem : (parse(kept).error ?? "A record is an object: { … }.");
  return html`<${Labelled} label=${field.label} hideLabel=${field.hideLabel} hint=${field.hint} required=${field.required} error=${error} warning=${warning} class=${name}>
    ${(attributes) => html`<textarea class="code" spellcheck=${false} autocomplete="off" ...${attributes}
      rows=${rows ?? Math.min(14, Math.max(3, shown.split("\n").length))} value=${shown} onInput=${(event) => change(event.target.value)}></textarea>`}<//>`;
}

/** Fields of an object; members that are not in the table are shown as JSON. */
function Group({ field, value, onChange, issues, path, index }) {
  const others = Object.keys(value ?? {}).filter((name) => !field.of.some((member) => member.name === name));
  const members = [...field.of, ...others.map((name) => ({ name, label: name, widget: "json" }))];
  const { error, warning } = at(alone(issues, members, path), path);
  const set = (name, member) => {
    const { [name]: _, ...left } = value ?? {};
    const next = member === undefined ? left : { ...(value ?? {}), [name]: member };
    onChange(Object.keys(next).length ? next : undefined);
  };
  return html`
    <fieldset class="group">
      <legend>${field.label}</legend>
      ${field.hint && html`<p class="hint">${field.hint}</p>`}
      ${error && html`<p class="field-error" role="alert">${error}</p>`}
      ${warning && html`<p class="field-warning">${warning}</p>`}
      <div class="fields">
        ${members.map((member) => html`<${Widget} key=${member.name} field=${member} value=${value?.[member.name]} index=${index}
          onChange=${(next) => set(member.name, next)} issues=${issues} path=${`${path}.${member.name}`} />`)}
      </div>
    </fieldset>
  `;
}

/** The issues that no member of a group shows. */
function alone(issues, members, path) {
  const ends = members.flatMap(({ name }) => ["", ".", "["].map((end) => `${path}.${name}${end}`));
  const left = ({ field }) => !ends.some((end, n) => (n % 3 ? field.startsWith(end) : field === end));
  return { problems: issues.problems.filter(left), warnings: issues.warnings.filter(left) };
}

function Split({ field, value, onChange, issues, path }) {
  const arms = value ?? [];
  const set = (place, arm) => onChange(arms.map((old, n) => (n === place ? arm : old)));
  const remove = (place) => onChange(arms.length > 1 ? arms.filter((_, n) => n !== place) : undefined);
  const { error } = at({ problems: issues.problems.filter((one) => !/\[\d+\]\./.test(one.field)), warnings: [] }, path);
  return html`
    <fieldset class="group">
      <legend>${field.label}</legend>
      <p class="hint">Instead of a model: shares of the requests for several. Weights are relative.</p>
      ${error && html`<p class="field-error" role="alert">${error}</p>`}
      ${arms.map((arm, n) => html`<div class="arm" key=${n}>
        <${Model} field=${{ label: `Model of arm ${n + 1}` }} value=${arm.model} issues=${issues} path=${`${path}[${n}].model`}
          onChange=${(model) => set(n, { ...arm, model })} />
        <${Number_} field=${{ label: "Weight" }} value=${arm.weight} issues=${issues} path=${`${path}[${n}].weight`}
          onChange=${(weight) => set(n, { ...arm, weight })} />
        <${Button} kind="quiet" class="small" aria-label=${`Remove arm ${n + 1}`} onClick=${() => remove(n)}>Remove<//>
      </div>`)}
      <div><${Button} class="small" onClick=${() => onChange([...arms, { model: "", weight: 1 }])}>Add an arm<//></div>
    </fieldset>
  `;
}

const WIDGETS = { text: Text, number: Number_, model: Model, models: Lines, list: Lines, names: Names, choice: Choice, flag: Flag, json: Json, group: Group, split: Split };
const scalar = (value) => ["string", "number", "boolean"].includes(typeof value);
const ofTexts = (value) => typeof value === "string" || (Array.isArray(value) && value.every((one) => typeof one === "string" && !/[\n]/.test(one) && one.trim() === one && one));
// What a widget can show. Any other value is shown as JSON, so that nothing is hidden or changed unseen.
const FITS = {
  text: (value) => typeof value === "string", number: scalar, model: (value) => typeof value === "string", models: ofTexts, list: ofTexts,
  names: (value) => ofTexts(value) && !show(value).includes(",") || (Array.isArray(value) && value.length > 1 && ofTexts(value) && value.every((one) => !one.includes(","))),
  choice: (value) => typeof value === "string", flag: (value) => typeof value === "boolean", json: () => true, group: isObject,
  split: (value) => Array.isArray(value) && value.every(isObject),
};

export function Widget(props) {
  const { field, value } = props;
  const widget = field.widget === "choice" && !field.choices?.length ? "text" : field.widget;
  const fits = value === undefined || FITS[widget](value);
  return html`<${fits ? WIDGETS[widget] : Json} ...${props} />`;
}
