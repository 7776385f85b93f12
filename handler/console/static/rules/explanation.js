// The explanation of a decision: what POST /v1/explain and POST rules/try answer.
import { dollars, ms } from "../lib/format.js";
import { cx, html } from "../lib/html.js";
import { href } from "../lib/router.js";
import { Badge, Mono, Notice, Pairs } from "../lib/ui.js";
import { show } from "./json.js";

const REASONS = {
  requested: "The request names it.", rule: "A route chose it.", preference: "It is the best by preference.", budget: "A budget is used up, and chose it.",
};

export const RecordLink = ({ kind, id }) => html`<a class="record" href=${href("rules", [String(kind), String(id)])}>${kind}/${id}</a>`;

const cost = (of) => (of ? `${dollars(of.min)} to ${dollars(of.max)}${of.assumed ? " (assumed)" : ""}` : "price unknown");

export function Explanation({ of }) {
  const { candidates = [], rejections = [], limits = [] } = of;
  const steps = withConditions(of);
  const [first] = candidates;
  return html`
    <div class="stack">
      ${of.error
        ? html`<${Notice} kind="bad" title=${of.error.code}>${of.error.message}<//>`
        : html`<div class="decided"><span class="dim">Model</span> <strong>${first?.model ?? "no model"}</strong>
            <p class="note">${REASONS[of.reason] ?? of.reason}${of.prefer ? ` Preference: ${of.prefer}.` : ""}</p></div>`}
      <p>${of.rule ? html`Decided by <${RecordLink} kind="route" id=${of.rule} />` : "No route applies"}${of.cache ? html`; cached by <${RecordLink} kind="cache" id=${of.cache} />` : ""}.</p>
      ${candidates.length > 0 && html`<div><h3>Candidates, in the order they are tried</h3>
        <ol class="plain-list numbered">${candidates.map((one) => html`<li key=${one.model}><${Mono}>${one.model}<//> <span class="dim">${cost(one.cost)}${one.cooling ? `, cooling for ${ms(one.cooling * 1000)}` : ""}</span></li>`)}</ol></div>`}
      ${steps.length > 0 && html`<div><h3>Records</h3><ul class="plain-list">${sorted(steps).map((step) => html`<${Step} key=${`${step.kind}/${step.id}`} step=${step} />`)}</ul></div>`}
      ${limits.length > 0 && html`<div><h3>Counted by</h3><ul class="plain-list">${limits.map((one) => html`<li key=${`${one.kind}/${one.id}`}><${RecordLink} ...${one} /> <span class="dim">${amount(one)}</span></li>`)}</ul></div>`}
      ${rejections.length > 0 && html`<details><summary>${rejections.length + (of.more_rejections ?? 0)} rejected</summary>
        <ul class="plain-list">${rejections.map((one) => html`<li key=${one.model}><${Mono}>${one.model}<//> <span class="dim">${one.why}</span></li>`)}
        ${of.more_rejections ? html`<li class="dim">and ${of.more_rejections} more</li>` : ""}</ul></details>`}
      ${of.facts && html`<details><summary>Facts of the request</summary>
        <${Pairs} of=${Object.entries(of.facts).map(([name, value]) => [name, show(value)])} /></details>`}
    </div>
  `;
}

/** The steps, each with its record's conditions and the value of each fact. */
function withConditions({ steps = [], conditions = [] }) {
  const of = new Map(conditions.map((one) => [`${one.kind}/${one.id}`, one]));
  return steps.map((step) => ({ ...step, ...of.get(`${step.kind}/${step.id}`) }));
}

const amount = (one) => `${one.usd !== undefined ? dollars(one.usd) : show(one.requests ?? one.tokens)}${one.requests ? " requests" : one.tokens ? " tokens" : ""} a ${one.per}${one.each ? ` each ${one.each}` : ""}`;
const rank = ({ outcome }) => (/^applied|^chose/.test(outcome) ? 0 : /^matched/.test(outcome) ? 1 : /^failed/.test(outcome) ? 2 : 3);
const sorted = (steps) => steps.map((step, n) => [rank(step), n, step]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , step]) => step);
const COLOURS = ["ok", "info", "none", "none"];

function Step({ step }) {
  const [word] = step.outcome.split(/[:,]/);
  const tested = /^failed/.test(step.outcome) && step.in_scope && step.conditions?.length > 0;
  const rest = step.outcome.slice(word.length).replace(/^[:,] */, "");
  return html`
    <li class="step">
      <span class="row"><${RecordLink} ...${step} /><${Badge} kind=${COLOURS[rank(step)]}>${word === "failed" ? "does not match" : word}<//></span>
      ${rest && !tested && html`<span class="note">${rest}</span>`}
      ${tested && html`<ul class="plain-list conditions">${step.conditions.map((one) => html`<${Tested} key=${one.condition} ...${one} />`)}</ul>`}
    </li>
  `;
}

const Tested = ({ condition, fact, value, holds }) => html`
  <li class=${cx("note", holds === false && "no")}>
    <span aria-hidden="true">${holds === undefined ? "·" : holds ? "✓" : "✗"}</span>
    <span>${condition} <span class="dim">${holds === undefined ? "(of each model)" : holds ? "holds" : "does not hold"}${value === undefined ? "" : `: ${fact} is ${value === null ? "absent" : show(value)}`}</span></span>
  </li>
`;
