// The fields of a key: for creating one (`all`) and for editing one.
import { AreaField, SelectField, TextField } from "../lib/forms.js";
import { html } from "../lib/html.js";
import { Failure } from "../lib/ui.js";

const SCOPES = [
  ["chat", "chat: calls models"],
  ["manage", "manage: also sees rules, keys, usage and requests of everyone"],
  ["admin", "admin: also changes rules and keys"],
];

/** The body of the API for a form. `record`: the key as it is; an expiry of the same day keeps its time. */
export function fieldsOf(form, record = {}) {
  const models = (form.models ?? "").split(/[\s,]+/).filter(Boolean);
  const same = record.expires_at?.slice(0, 10) === form.expires;
  return {
    name: form.name.trim(),
    ...(form.project?.trim() ? { project: form.project.trim() } : {}),
    ...(form.scope ? { scopes: [form.scope] } : {}),
    ...(form.none ? { models: [] } : models.length ? { models } : {}),
    ...(form.expires ? { expires_at: same ? record.expires_at : `${form.expires}T23:59:59Z` } : {}),
  };
}

/** The message without the API's name of the field, which the label has. */
const withoutField = ({ message, param }) => {
  const rest = message.startsWith(`${param}: `) ? message.slice(param.length + 2) : message;
  return rest[0].toUpperCase() + rest.slice(1);
};

/** The error of the API by the field that it names; `form` for the rest. */
export function fieldErrors(error) {
  const field = { expires_at: "expires", scopes: "scope" }[error.param] ?? error.param?.replace(/\[.*/, "");
  return ["name", "project", "scope", "models", "expires"].includes(field) ? { [field]: withoutField(error) } : { form: error };
}

export function KeyForm({ form, errors, onChange, all }) {
  const field = (name) => ({ value: form[name], error: errors[name], onInput: (value) => onChange({ ...form, [name]: value }) });
  return html`
    <${Failure} error=${errors.form} />
    <${TextField} label="Name" hint="Who or what uses it." required=${all} autofocus=${all} ...${field("name")} />
    ${all && html`
      <${TextField} label="Project" hint="Rules, limits and usage can be by project. Empty: default." ...${field("project")} />
      <${SelectField} label="Scope" options=${SCOPES} ...${field("scope")} />`}
    <${AreaField} label="Models that it may call" rows="2" hint="Names or patterns such as openai/*, separated by spaces or lines. Empty: all that the rules allow." ...${field("models")} />
    <${TextField} label="Expires" type="date" hint="At the end of that day, in UTC. Empty: never." ...${field("expires")} />
  `;
}
