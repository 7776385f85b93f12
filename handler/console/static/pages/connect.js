// Base URLs of this gateway, and the settings of clients to paste, which are those of docs/clients.md.
import { gateway, origin, useApi } from "../lib/api.js";
import { ModelField, SelectField } from "../lib/forms.js";
import { html, useState } from "../lib/html.js";
import { href, replace } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Card, Code, Copy, Mono, Page } from "../lib/ui.js";
import clients from "./clients.js";

const KEY = "sk-sluice-...";
const FORMATS = [
  ["OpenAI: chat completions, responses, embeddings, images, audio", "/v1"],
  ["Anthropic: messages", ""],
  ["Google: generateContent", ""],
  ["Amazon Bedrock: Converse", ""],
];
const COLUMNS = [
  { id: "format", label: "For clients of", value: ([name]) => name, wide: true },
  { id: "url", label: "Base URL", value: ([, end]) => html`<${Mono}>${origin() + end}<//> <${Copy} text=${origin() + end} what="the base URL" />` },
];

/** Each client once for each of its settings; the endpoint tells apart those with the same name. */
const CHOICES = clients.flatMap((group, at) =>
  group.clients
    .filter(({ name }, place) => group.clients.findIndex((one) => one.name === name) === place)
    .map(({ name, endpoint }) => {
      const many = clients.filter((other) => other.clients.some((one) => one.name === name)).length > 1;
      return { id: `${at}`, label: many ? `${name} (${endpoint})` : name, group: at };
    }),
);

export default function Connect({ query }) {
  const chosen = CHOICES.find(({ label }) => label === query.client) ?? CHOICES[0];
  const group = clients[chosen.group];
  const models = useApi((signal) => gateway.get("models", {}, { signal }), []);
  const [model, setModel] = useState("");
  const asks = [...group.settings.map(([, text]) => text), ...group.files.map(({ text }) => text)].some((text) => text.includes("$model"));
  const values = { origin: origin(), key: KEY, model: model.trim() || group.model };
  const fill = (text) => text.replace(/\$(origin|key|model)\b/g, (_, name) => values[name]);
  return html`
    <${Page} title="Connect" lead="A base URL and a key are all that a client needs.">
      <${Card} title="Base URLs" flush note=${html`Send the key as <${Mono}>Authorization: Bearer<//>, <${Mono}>x-api-key<//> or <${Mono}>x-goog-api-key<//>. <a href=${href("keys")}>Create a key</a> for each person or program.`}>
        <${Table} caption="Base URLs" columns=${COLUMNS} rows=${FORMATS} />
      <//>
      <${Card} title="Settings of a client" note="As in docs/clients.md, where each was tried.">
        <div class="fields">
          <${SelectField} label="Client" options=${CHOICES.map(({ label }) => label)} value=${chosen.label} onChange=${(client) => replace("connect", [], { client })} />
          ${asks && html`<${ModelField} models=${models} hint="A name that the gateway knows, such as auto or an alias." placeholder=${group.model} value=${model} onInput=${setModel} />`}
        </div>
        ${group.settings.length > 0 && html`<${Code} label="In the shell" text=${group.settings.map(([name, text]) => `export ${name}=${fill(text)}`).join("\n")} />`}
        ${group.files.map(({ path, text }) => html`<${Code} key=${path} label=${path} text=${fill(text)} />`)}
        ${group.note && html`<p class="note">${group.note}</p>`}
      <//>
    <//>
  `;
}
