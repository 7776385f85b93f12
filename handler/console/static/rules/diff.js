// Changes of records, each with its JSON line by line: in the review of a draft, in a conflict, in the history.
import { html } from "../lib/html.js";
import { Badge, Button, Empty } from "../lib/ui.js";
import { lineDiff } from "./changes.js";
import { pretty } from "./json.js";

const COLOURS = { added: "ok", changed: "info", removed: "bad" };
const SAID = { " ": "", "-": "removed: ", "+": "added: " };

export function Lines({ before, after, label }) {
  return html`<pre class="diff" tabindex="0" role="group" aria-label=${label}>${lineDiff(pretty(before), pretty(after)).map(
    ({ mark, text }, n) => html`<span key=${n} class=${mark === "-" ? "minus" : mark === "+" ? "plus" : ""}><span aria-hidden="true">${mark} </span><span class="hidden">${SAID[mark]}</span>${text}${"\n"}</span>`,
  )}</pre>`;
}

/** `undo(change)`: a button at each change. */
export function Changes({ of, empty = "Nothing is changed.", undo, open = true }) {
  if (!of.length) return html`<${Empty}>${empty}<//>`;
  return html`<ul class="plain-list changes">${of.map((one) => {
    const name = `${one.kind}/${one.id}`;
    return html`<li key=${`${one.change} ${name}`}>
      <details open=${open && of.length <= 12}>
        <summary><${Badge} kind=${COLOURS[one.change]}>${one.change}<//> <span class="record">${name}</span></summary>
        <${Lines} before=${one.before} after=${one.after} label=${`${one.change}: ${name}`} />
        ${undo && html`<div class="undo"><${Button} class="small" aria-label=${`Undo: ${name}`} onClick=${() => undo(one)}>Undo<//></div>`}
      </details>
    </li>`;
  })}</ul>`;
}

export const counts = (changes) =>
  ["added", "changed", "removed"].map((change) => [changes.filter((one) => one.change === change).length, change]).filter(([n]) => n).map(([n, change]) => `${n} ${change}`).join(", ") || "no changes";
