// What the draft would have done to the requests of the last hours: POST rules/replay.
import { api } from "../lib/api.js";
import { dollars, number, percent, time } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { Button, Choice, Empty, Failure, Mono, Notice } from "../lib/ui.js";
import { RecordLink } from "./explanation.js";

const PERIODS = [["1h", "1 hour"], ["24h", "24 hours"], ["7d", "7 days"]];

export function Replay({ records, dirty }) {
  const [since, setSince] = useState("24h");
  const [state, setState] = useState({});
  const run = async () => {
    setState((old) => ({ ...old, busy: true, error: null }));
    try {
      setState({ report: await api.post("rules/replay", { records, since }), of: records });
    } catch (error) {
      setState({ error });
    }
  };
  const { report, error, busy } = state;
  return html`
    <div class="stack">
      <p class="note">Decides recorded requests again, under the rules in force and under this draft. No provider is called.</p>
      <div class="row">
        <${Choice} label="Period" options=${PERIODS} value=${since} onChange=${setSince} />
        <${Button} kind="primary" busy=${busy} onClick=${run}>Replay<//>
      </div>
      ${!dirty && !report && html`<p class="note">Nothing is changed yet, so nothing would differ.</p>`}
      <div class="stack" aria-live="polite">
        <${Failure} error=${error} />
        ${report && state.of !== records && html`<${Notice} kind="warn">The draft has changed since this replay.<//>`}
        ${report && html`<${Report} of=${report} />`}
      </div>
    </div>
  `;
}

const outcome = (side) => (side?.model ? html`<${Mono}>${side.model}<//>` : html`<span class="refused">refused: ${side?.refused}</span>`);
const Why = ({ why }) => html`${why?.kind && html`<${RecordLink} ...${why} /> `}<span class="dim">${why?.text}</span>`;

const Move = ({ from, to, why, children }) => html`<li class="move">${children}
  <span class="row">${outcome(from)}<span aria-hidden="true">→</span><span class="hidden">to</span>${outcome(to)}</span><span class="note"><${Why} why=${why} /></span></li>`;

const asked = (row) => [time(row.at), row.project, row.key, row.function, row.model && `asked for ${row.model}`].filter(Boolean).join(" · ");

function Report({ of }) {
  if (!of.samples) return html`<${Empty}>There is no recorded request in this period.<//>`;
  const { cost = {}, changes = [], unused = [], no_longer_used: unusedNow = [], examples = [] } = of;
  const numbers = [
    [number(of.samples), "requests"], [number(of.same), "as before"], [number(of.moved), "to another model"], [number(of.refused), "refused now"],
    [number(of.admitted), "admitted now"], [signed(cost.difference), cost.before ? `cost (${percent(Math.abs(cost.difference), cost.before)} ${cost.difference > 0 ? "more" : "less"})` : "cost"],
  ];
  const notes = [
    of.still_refused && `${number(of.still_refused)} are refused before and after.`,
    of.effects && `${number(of.effects)} stay at their model, with other parameters or limits.`,
    `Cost: ${dollars(cost.before)} before, ${dollars(cost.after)} after, of ${number(cost.priced)} requests with a known price${cost.unpriced ? `; of ${number(cost.unpriced)} it is unknown` : ""}.`,
    of.inexact && `${number(of.inexact)} could not be decided exactly: a rule asks for something that is not recorded.`,
    of.skipped && `${number(of.skipped)} could not be read.`,
  ].filter(Boolean);
  return html`
    <dl class="figures">${numbers.map(([value, label]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>
    <ul class="plain-list note">${notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul>
    <h3>Other decisions</h3>
    ${changes.length ? html`<ul class="plain-list">${changes.map((row, n) => html`<${Move} key=${n} ...${row}><span class="move-count">${number(row.count)}</span><//>`)}</ul>` : html`<p class="note">Every request goes where it went.</p>`}
    ${of.more_changes > 0 && html`<p class="note">and ${number(of.more_changes)} more rows</p>`}
    ${unusedNow.length > 0 && html`<h3>No longer used</h3><ul class="plain-list">${unusedNow.map((one) => html`<li key=${one.kind + one.id}><${RecordLink} ...${one} /> <span class="dim">${one.removed ? "removed; " : ""}applied to ${number(one.samples)} before</span></li>`)}</ul>`}
    ${unused.length > 0 && html`<details><summary>${number(unused.length)} records apply to none of these requests</summary>
      <p class="row">${unused.map((one) => html`<${RecordLink} key=${one.kind + one.id} ...${one} />`)}</p></details>`}
    ${examples.length > 0 && html`<details><summary>Examples</summary><ul class="plain-list">${examples.map((row) => html`<${Move} key=${row.request_id} ...${row}><span class="note">${asked(row)}</span><//>`)}</ul></details>`}
  `;
}

const signed = (value) => (value > 0 ? `+${dollars(value)}` : value < 0 ? `−${dollars(-value)}` : dollars(value));
