// A request to try: how the draft decides it, again after each change of either.
import { api, TYPING, useApi } from "../lib/api.js";
import { AreaField, CheckField, Labelled, SelectField, TextField } from "../lib/forms.js";
import { html } from "../lib/html.js";
import { createStore } from "../lib/store.js";
import { Failure, Loading } from "../lib/ui.js";
import { Explanation } from "./explanation.js";
import { isObject, parse } from "./json.js";

const TOOL = { type: "function", function: { name: "lookup", parameters: { type: "object", properties: {} } } };
// What is tried stays while the console is open.
const tried = createStore({ model: "", message: "Hello", tools: false, key: "", project: "", fn: "", at: "", more: "" });

/** The body of rules/try, or {wrong} where the further fields are no JSON object. */
function bodyOf({ model, message, tools, key, project, fn, at, more }, records) {
  const { value: extra = {}, error } = more.trim() ? parse(more) : {};
  if (error || !isObject(extra)) return { wrong: error ?? "An object is expected: { … }." };
  const request = { ...(model ? { model } : {}), messages: [{ role: "user", content: message }], ...(tools ? { tools: [TOOL] } : {}), ...extra };
  const as = Object.fromEntries(Object.entries({ key, project, function: fn }).filter(([, text]) => text));
  return { body: { records, request, as, ...(at ? { at } : {}) } };
}

export function Try({ records, keys }) {
  const values = tried.use();
  const set = (name) => (value) => tried.set((old) => ({ ...old, [name]: value }));
  const { body, wrong } = bodyOf(values, records);
  const { data, error, loading } = useApi((signal) => api.post("rules/try", body, { signal }), [values, records], { pause: TYPING, active: !wrong });
  const named = (param) => (error?.param === param ? error.message : undefined);
  const shown = ["at", "as.key"].includes(error?.param);
  return html`
    <div class="columns">
      <div class="stack">
      <div class="fields narrow">
        <${TextField} label="Model" list="known-models" placeholder="by the rules" value=${values.model} onInput=${set("model")} />
        <${KeyField} keys=${keys} value=${values.key} onChange=${set("key")} error=${named("as.key")} />
        <${TextField} label="Project" placeholder=${values.key ? "the key's" : "default"} value=${values.project} onInput=${set("project")} />
        <${TextField} label="Function" value=${values.fn} onInput=${set("fn")} />
        <${TextField} label="Time" placeholder="now" hint="Or sat 09:00, UTC" value=${values.at} onInput=${set("at")} error=${named("at")} />
      </div>
      <${AreaField} label="Message" rows="2" value=${values.message} onInput=${set("message")} />
      <${CheckField} label="With a tool" value=${values.tools} onChange=${set("tools")} />
      <details open=${!!values.more}>
        <summary>Other fields of the request</summary>
        <${Labelled} label="Other fields, as JSON" hideLabel error=${wrong} hint=${'Such as {"tags": {"team": "support"}, "max_tokens": 500}'}>
          ${(attributes) => html`<textarea class="code" rows="3" spellcheck=${false} ...${attributes} value=${values.more} onInput=${(event) => set("more")(event.target.value)}></textarea>`}<//>
      </details>
      </div>
      <div class="stack" aria-live="polite" aria-busy=${loading ? "true" : "false"}>
        ${!shown && html`<${Failure} error=${error} />`}
        ${data && !error ? html`<${Explanation} of=${data} />` : loading && !data && html`<${Loading}>Deciding…<//>`}
      </div>
    </div>
  `;
}

function KeyField({ keys, value, onChange, error }) {
  if (!keys?.length) return html`<${TextField} label="Key (id)" value=${value} onInput=${onChange} error=${error} />`;
  const options = [["", "any key"], ...keys.map(({ id, name }) => [id, name ? `${name} (${id})` : id])];
  if (value && !keys.some(({ id }) => id === value)) options.push([value, value]);
  return html`<${SelectField} label="Key" options=${options} value=${value} onChange=${onChange} error=${error} />`;
}
