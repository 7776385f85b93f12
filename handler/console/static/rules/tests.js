// The tests that the set carries, as the last check ran them.
import { html } from "../lib/html.js";
import { Badge, Empty, Failure, Loading } from "../lib/ui.js";
import { RecordLink } from "./explanation.js";

export function Tests({ checked }) {
  const { data, error, loading } = checked;
  if (!data) return html`<${Failure} error=${error} />${loading && html`<${Loading}>Checking…<//>`}`;
  const tests = [...(data.tests ?? [])].sort((a, b) => a.ok - b.ok);
  if (!tests.length) return html`<${Empty}>The set has no test. A record of the kind test says what must come of a request.<//>`;
  return html`
    <div class="stack" aria-live="polite">
      <p class="note">${tests.filter((one) => one.ok).length} of ${tests.length} hold. They run as if every provider were available.</p>
      <ul class="plain-list">${tests.map((one) => html`<li key=${one.id} class="stack tight">
        <span class="row"><${RecordLink} kind="test" id=${one.id} /><${Badge} kind=${one.ok ? "ok" : "bad"}>${one.ok ? "holds" : "fails"}<//></span>
        ${(one.failures ?? []).map((text, n) => html`<span key=${n} class="field-error lines">${text}</span>`)}
      </li>`)}</ul>
    </div>
  `;
}
