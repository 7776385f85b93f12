// Form fields with a label, a hint and an error that screen readers read with the field.
//
// html`<${TextField} label="Name" value=${name} onInput=${setName} error=${errors.name} />`: `onInput` and
// `onChange` get the value, not the event. `Labelled` makes a field of any control: children get {id, attributes}.
import { cx, html, useId } from "./html.js";

export function Labelled({ label, hint, error, warning, required, hideLabel, class: name, children }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`, warning && `${id}-warning`].filter(Boolean).join(" ");
  const attributes = {
    id,
    "aria-describedby": described || undefined,
    "aria-invalid": error ? "true" : undefined,
    required: required || undefined,
  };
  return html`
    <div class=${cx("field", error && "wrong", name)}>
      <label for=${id} class=${hideLabel ? "hidden" : undefined}>${label}${required && html`<span class="dim"> (required)</span>`}</label>
      ${children(attributes)}
      ${error && html`<p class="field-error" id=${`${id}-error`} role="alert">${error}</p>`}
      ${warning && html`<p class="field-warning" id=${`${id}-warning`}>${warning}</p>`}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    </div>
  `;
}

/** A text field that suggests the models of GET /models; `models` is useApi of it. */
export function ModelField({ models, ...rest }) {
  const id = useId();
  return html`
    <${TextField} label="Model" list=${id} ...${rest} />
    <datalist id=${id}>${(models.data?.data ?? []).map(({ id: name }) => html`<option key=${name} value=${name}></option>`)}</datalist>
  `;
}

const split = ({ label, hint, error, warning, required, hideLabel, class: name, onInput, onChange, ...rest }) => [
  { label, hint, error, warning, required, hideLabel, class: name },
  rest,
  onInput ?? onChange,
];

export function TextField(props) {
  const [about, rest, change] = split(props);
  return html`<${Labelled} ...${about}>${(attributes) =>
    html`<input type="text" autocomplete="off" spellcheck=${false} ...${rest} ...${attributes} onInput=${(event) => change(event.target.value)} />`}<//>`;
}

export function AreaField(props) {
  const [about, rest, change] = split(props);
  return html`<${Labelled} ...${about}>${(attributes) =>
    html`<textarea rows="3" ...${rest} ...${attributes} onInput=${(event) => change(event.target.value)}></textarea>`}<//>`;
}

/** `options`: texts, or pairs of a value and its text. */
export function SelectField(props) {
  const [about, { options, value, ...rest }, change] = split(props);
  return html`<${Labelled} ...${about}>${(attributes) =>
    html`<select value=${value} ...${rest} ...${attributes} onChange=${(event) => change(event.target.value)}>
      ${options.map((option) => {
        const [id, text] = Array.isArray(option) ? option : [option, option];
        return html`<option key=${id} value=${id} selected=${id === value}>${text}</option>`;
      })}
    </select>`}<//>`;
}

export function CheckField({ label, hint, value, onChange, ...rest }) {
  const id = useId();
  return html`
    <div class="check">
      <input type="checkbox" id=${id} checked=${value} aria-describedby=${hint ? `${id}-hint` : undefined} ...${rest}
        onChange=${(event) => onChange(event.target.checked)} />
      <div><label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}</div>
    </div>
  `;
}
