// A chat with any model or `auto`: streamed, with the decision, the cost and the request as code beside it.
//
// The conversation stays while other pages are open, and is forgotten at sign-out.
import { errorOf, gateway, origin, send, useApi } from "../lib/api.js";
import { dollars, ms, number } from "../lib/format.js";
import { AreaField, ModelField, SelectField, TextField } from "../lib/forms.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { href } from "../lib/router.js";
import { session } from "../lib/session.js";
import { events } from "../lib/sse.js";
import { createStore } from "../lib/store.js";
import { Badge, Button, Card, Code, Empty, Mono, Page, Pairs, Tabs } from "../lib/ui.js";
import { snippets } from "./snippets.js";

const PREFERENCES = [["", "as the rules say"], ["cheap", "cheap"], ["fast", "fast"], ["quality", "quality"], ["balanced", "balanced"]];
const NEW = { messages: [], model: "auto", prefer: "", system: "", temperature: "", most: "", draft: "", busy: null };
const talk = createStore(NEW);
const change = (fields) => talk.set((old) => ({ ...old, ...fields }));

session.subscribe(({ key, ended }) => {
  if (!key && !ended) {
    talk.get().busy?.abort();
    talk.set(NEW);
  }
});

/** The body of the request for the conversation so far and `more`. */
function bodyOf({ messages, model, prefer, system, temperature, most }, more = []) {
  const said = messages.filter(({ error, text }) => !error && text).map(({ role, text }) => ({ role, content: text }));
  return {
    model: model.trim() === "auto" && prefer ? `auto:${prefer}` : model.trim() || "auto",
    messages: [...(system.trim() ? [{ role: "system", content: system }] : []), ...said, ...more],
    stream: true,
    ...(temperature.trim() ? { temperature: Number(temperature) } : {}),
    ...(most.trim() ? { max_tokens: Number(most) } : {}),
  };
}

async function ask(text) {
  const control = new AbortController();
  const body = { ...bodyOf(talk.get(), [{ role: "user", content: text }]), stream_options: { include_usage: true }, usage: { include: true } };
  change({ draft: "", busy: control });
  talk.set((old) => ({ ...old, messages: [...old.messages, { role: "user", text }, { role: "assistant", text: "", reasoning: "" }] }));
  const update = (fields) =>
    talk.set((old) => {
      if (old.busy !== control) return old;
      const last = old.messages.at(-1);
      return { ...old, messages: [...old.messages.slice(0, -1), { ...last, ...(typeof fields === "function" ? fields(last) : fields) }] };
    });
  const began = performance.now();
  try {
    const key = session.get().key;
    const response = await send("POST", gateway.url("chat/completions"), { body, signal: control.signal, headers: { "x-sluice-explain": "1" } });
    update({ head: headOf(response) });
    if (!response.ok) throw await errorOf(response, key);
    await read(response, update, began);
    update({ total: performance.now() - began });
  } catch (error) {
    if (control.signal.aborted) update({ stopped: true, total: performance.now() - began });
    else update({ error: error.message });
  }
  if (talk.get().busy === control) change({ busy: null });
}

const HEADERS = ["x-request-id", "x-sluice-model", "x-sluice-reason", "x-sluice-rule", "x-sluice-attempts", "x-sluice-overhead-ms",
  "x-sluice-dropped", "x-sluice-alert", "x-sluice-cache", "x-sluice-cost"];
const headOf = (response) => Object.fromEntries(HEADERS.map((name) => [name, response.headers.get(name)]).filter(([, value]) => value !== null));

/** Read the events of an answer into the last message. */
async function read(response, update, began) {
  let first = null;
  for await (const data of events(response)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new Error(event.error.message ?? "The answer ended with an error.");
    const { delta, finish_reason: finish } = event.choices?.[0] ?? {};
    if (first === null && (delta?.content || delta?.reasoning_content)) first = performance.now() - began;
    update((last) => ({
      text: last.text + (delta?.content ?? "") + (delta?.refusal ?? ""),
      reasoning: last.reasoning + (delta?.reasoning_content ?? ""),
      first,
      ...(finish ? { finish } : {}),
      ...(event.model ? { model: event.model } : {}),
      ...(event.usage ? { usage: event.usage } : {}),
      ...(event.sluice ? { decision: event.sluice } : {}),
    }));
  }
  throw new Error("The connection ended before the answer did.");
}

export default function Playground() {
  const state = talk.use();
  const answers = state.messages.filter(({ role }) => role === "assistant");
  const last = answers.at(-1);
  return html`
    <${Page} title="Playground" lead="A chat with your key. Rules, limits and costs apply to it as to any request.">
      <div class="split">
        <${Conversation} state=${state} />
        <div class="stack">
          <${Options} state=${state} />
          <${Decision} answer=${last} />
        </div>
      </div>
      <${AsCode} state=${state} />
    <//>
  `;
}

function Conversation({ state }) {
  const { messages, draft, busy } = state;
  const end = useRef(null);
  const [done, setDone] = useState("");
  const last = messages.at(-1);
  useEffect(() => end.current?.scrollIntoView({ block: "nearest" }), [last?.text]);
  useEffect(() => {
    if (busy || last?.role !== "assistant") setDone(busy ? "The model is answering." : "");
    else setDone(last.error ? "" : `Answer: ${last.text}`);
  }, [busy]);
  const submit = (event) => {
    event?.preventDefault();
    if (draft.trim() && !busy) ask(draft);
  };
  const enter = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  return html`
    <${Card} title="Conversation" actions=${messages.length > 0 && html`<${Button} kind="quiet" class="small" onClick=${() => (busy?.abort(), change({ messages: [], busy: null }))}>New conversation<//>`}>
      <div class="talk" role="log" aria-label="Conversation" aria-live="off" tabindex="0">
        ${messages.length ? messages.map((message, at) => html`<${Message} key=${at} ...${message} busy=${busy && at === messages.length - 1} />`) : html`<${Empty}>Write a message to begin.<//>`}
        <span ref=${end}></span>
      </div>
      <p class="hidden" role="status">${done}</p>
      <form class="stack" onSubmit=${submit}>
        <${AreaField} label="Message" rows="3" value=${draft} onInput=${(text) => change({ draft: text })} onKeyDown=${enter} hint="Enter sends, Shift+Enter begins a new line." />
        <div class="actions">
          ${busy ? html`<${Button} onClick=${() => busy.abort()}>Stop<//>` : html`<${Button} kind="primary" type="submit" why=${draft.trim() ? null : "Write a message first."}>Send<//>`}
        </div>
      </form>
    <//>
  `;
}

const Message = ({ role, text, reasoning, error, stopped, finish, model, busy }) => html`
  <article class=${`said ${role}`} aria-label=${role === "user" ? "You" : `Answer${model ? ` of ${model}` : ""}`}>
    <header>${role === "user" ? "You" : model ?? "Assistant"} ${busy && html`<span class="spinner" aria-hidden="true"></span>`}</header>
    ${reasoning && html`<details class="plot-table"><summary>Reasoning</summary><p class="text dim">${reasoning}</p></details>`}
    ${text && html`<p class="text">${text}</p>`}
    ${error && html`<p class="field-error" role="alert">${error}</p>`}
    ${stopped && html`<p class="note">Stopped.</p>`}
    ${finish && finish !== "stop" && html`<p class="note">Ended: ${finish}.</p>`}
  </article>
`;

function Options({ state }) {
  const models = useApi((signal) => gateway.get("models", {}, { signal }), []);
  const field = (name) => ({ value: state[name], onInput: (value) => change({ [name]: value }) });
  const auto = state.model.trim() === "auto";
  const many = models.data?.data.length;
  const hint = models.error?.message ?? (many ? `auto, or one of ${number(many)} names` : "auto decides by the rules");
  return html`
    <${Card} title="Request">
      <div class="fields">
        <${ModelField} models=${models} hint=${hint} ...${field("model")} />
        <${SelectField} label="Preference" options=${PREFERENCES} disabled=${!auto} hint=${auto ? undefined : "Only for auto."} ...${field("prefer")} />
      </div>
      <${AreaField} label="System prompt" rows="2" ...${field("system")} />
      <div class="fields">
        <${TextField} label="Temperature" type="number" min="0" max="2" step="0.1" placeholder="the model's own" ...${field("temperature")} />
        <${TextField} label="Max tokens" type="number" min="1" step="1" placeholder="no limit" ...${field("most")} />
      </div>
    <//>
  `;
}

function Decision({ answer }) {
  if (!answer?.head) return html`<${Card} title="Decision and cost"><p class="dim">Here is which model answered, why, and what it cost.</p><//>`;
  const { head, usage, decision, first, total } = answer;
  const cost = usage?.cost ?? (head["x-sluice-cost"] === undefined ? undefined : Number(head["x-sluice-cost"]));
  const rows = [
    ["Model", head["x-sluice-model"] && html`<${Mono}>${head["x-sluice-model"]}<//>`],
    ["Reason", head["x-sluice-reason"] && html`<${Badge} kind="info">${head["x-sluice-reason"]}<//>`],
    ["Rule", head["x-sluice-rule"] && html`<a href=${href("rules", ["route", head["x-sluice-rule"]])}>${head["x-sluice-rule"]}</a>`],
    ["Attempts", head["x-sluice-attempts"]],
    ["Cost", cost === undefined ? null : dollars(cost)],
    ["Tokens", usage && `${number(usage.prompt_tokens)} in, ${number(usage.completion_tokens)} out`],
    ["First token", first ? ms(first) : null],
    ["Total time", total ? ms(total) : null],
    ["Sluice's own work", head["x-sluice-overhead-ms"] && `${head["x-sluice-overhead-ms"]} ms`],
    ["Cache", head["x-sluice-cache"]],
    ["Left out", head["x-sluice-dropped"]],
    ["Budget", head["x-sluice-alert"]],
    ["Request", head["x-request-id"] && html`<a class="mono id" href=${href("requests", [head["x-request-id"]])} title=${head["x-request-id"]}>${head["x-request-id"]}</a>`],
  ];
  return html`
    <${Card} title="Decision and cost">
      <${Pairs} of=${rows} />
      ${decision && html`<${Explanation} decision=${decision} />`}
    <//>
  `;
}

const range = (cost) => (cost ? ` ${dollars(cost.min)} to ${dollars(cost.max)}` : "");

const Explanation = ({ decision }) => html`
  <details class="plot-table" open=${decision.candidates?.length > 1}><summary>Candidates (${decision.candidates?.length ?? 0})</summary>
    <ol class="plain">${decision.candidates?.map((one) => html`<li key=${one.model}><${Mono}>${one.model}<//><span class="dim">${range(one.cost)}</span></li>`)}</ol></details>
  <details class="plot-table"><summary>Records evaluated (${decision.steps?.length ?? 0})</summary>
    <ul class="plain">${decision.steps?.map((step, at) => html`<li key=${at}><b>${step.kind} ${step.id}</b> <span class="dim">${step.outcome}</span></li>`)}</ul></details>
  <details class="plot-table"><summary>Rejected models (${(decision.rejections?.length ?? 0) + (decision.more_rejections ?? 0)})</summary>
    <ul class="plain">${decision.rejections?.map((one, at) => html`<li key=${at}><${Mono}>${one.model}<//> <span class="dim">${one.why}</span></li>`)}
    ${decision.more_rejections > 0 && html`<li class="dim">and ${decision.more_rejections} more</li>`}</ul></details>
`;

function AsCode({ state }) {
  const [language, setLanguage] = useState("curl");
  const more = state.draft.trim() ? [{ role: "user", content: state.draft }] : [];
  const body = bodyOf(state, more);
  if (body.messages.at(-1)?.role === "assistant") body.messages.pop(); // the last request, not the next one
  if (!body.messages.some(({ role }) => role === "user")) body.messages.push({ role: "user", content: "Hello!" });
  const found = snippets(`${origin()}/v1`, body);
  return html`
    <${Card} title="As code" note="The same request; the key comes from the variable SLUICE_API_KEY.">
      <${Tabs} label="Language" tabs=${found.map(({ id, label }) => ({ id, label }))} value=${language} onChange=${setLanguage}>
        ${found.filter(({ id }) => id === language).map(({ id, label, text }) => html`<${Code} key=${id} label=${label} text=${text} />`)}
      <//>
    <//>
  `;
}
