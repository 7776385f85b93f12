// The draft is reviewed and saved; what others have saved meanwhile is taken in first.
import { api, useApi } from "../lib/api.js";
import { Dialog } from "../lib/dialog.js";
import { AreaField } from "../lib/forms.js";
import { html, useId, useState } from "../lib/html.js";
import { session } from "../lib/session.js";
import { notify } from "../lib/toast.js";
import { Button, Failure, Loaded, Loading, Mono, Notice, ReadOnly } from "../lib/ui.js";
import { changesOf, merge, repeated } from "./changes.js";
import { Changes, counts, Lines } from "./diff.js";
import { begin, draft, draftChanges, setMessage, undo } from "./draft.js";
import { RecordLink } from "./explanation.js";

const MOST = 500; // characters of a message

/** Why this draft can be neither saved nor merged yet; null if it can. */
function incomplete({ texts, records }) {
  if (Object.keys(texts).length) return "A field holds text that is not JSON: correct it first.";
  return repeated(records).length ? "Two records have the same kind and id: change one of them." : null;
}

/** `checked`: useApi of POST rules/check. `onSaved` is called once the table has the draft. */
export function Review({ checked, onClose, onSaved }) {
  const of = draft.use();
  const [state, setState] = useState({ step: "review" });
  const changes = draftChanges(of);
  const save = async () => {
    setState({ step: "review", busy: true });
    const { base, records, message } = of;
    try {
      const { revision } = await api.put("rules", { base, records, ...(message.trim() ? { message: message.trim() } : {}) });
      saved(revision);
    } catch (error) {
      if (error.status === 409 || error.status === 0 || error.status >= 500) await settle(error);
      else setState({ step: "review", error });
    }
  };
  const saved = (revision) => {
    const { records } = draft.get();
    begin(revision, records);
    const ttl = session.get().info?.settings?.SLUICE_RULES_TTL;
    notify(`Saved as revision ${revision}.${ttl ? ` Other instances follow within about ${ttl} s.` : ""}`);
    onSaved();
  };
  /** The answer is lost, or that of an earlier try was: the table says whether the rules were saved. */
  const settle = async (error) => {
    try {
      const now = await api.get("rules");
      if (!changesOf(of.records, now.records).length) return saved(now.revision);
      if (now.revision === of.base) return setState({ step: "review", error, nothing: true });
      return setState({ step: "take-in", error });
    } catch {
      return setState(error.status === 409 ? { step: "take-in", error } : { step: "review", error, unknown: true });
    }
  };
  if (state.step === "take-in") {
    return html`<${TakeIn} onClose=${onClose} onTaken=${() => setState({ step: "review", taken: true })} />`;
  }
  const why = incomplete(of) ?? (changes.length ? null : "Nothing is changed.");
  const footer = html`
    <${Button} onClick=${onClose}>Back to editing<//>
    <${Button} kind="primary" write busy=${state.busy} why=${why} onClick=${save}>Save ${counts(changes)}<//>`;
  return html`
    <${Dialog} title="Review and save" wide onClose=${onClose} footer=${footer}>
      ${state.taken && html`<${Notice} kind="ok">The changes of others are in your draft now. Save when it looks right.<//>`}
      ${state.error && html`<${Failure} error=${state.error} title=${state.nothing ? "Nothing was saved." : state.unknown ? "It is not known whether this was saved." : "Not saved."} />`}
      <${ReadOnly} />
      <${Findings} checked=${checked} changes=${changes} base=${of.base} />
      <${Changes} of=${changes} undo=${undo} />
      <${AreaField} label="Message" rows="2" maxlength=${MOST} value=${of.message} onInput=${setMessage} hint="Why: it is kept with the revision in the history." />
    <//>
  `;
}

/** What the last check found: problems of records, and tests that fail. */
function Findings({ checked, changes, base }) {
  const { data, error, loading } = checked;
  if (!data) return loading ? html`<${Loading}>Checking…<//>` : html`<${Failure} error=${error} />`;
  const { problems = [], warnings = [], tests = [] } = data;
  const failing = tests.filter((test) => !test.ok);
  const changed = new Set(changes.map(({ kind, id }) => `${kind}/${id}`));
  const mine = warnings.filter(({ kind, id }) => changed.has(`${kind}/${id}`));
  const others = loading || data.table !== base ? [] : (data.changes ?? []).filter(({ kind, id }) => !changed.has(`${kind}/${id}`));
  const line = (one) => html`<li key=${one.kind + one.id + one.field}><${RecordLink} ...${one} /> <${Mono}>${one.field}<//> ${one.problem}</li>`;
  return html`
    ${problems.length > 0 && html`<${Notice} kind="bad" title="Cannot be read:"><ul class="plain-list">${problems.map(line)}</ul><//>`}
    ${failing.length > 0 && html`<${Notice} kind="bad" title=${`${failing.length} of ${tests.length} tests fail:`}>
      <ul class="plain-list">${failing.map((test) => html`<li key=${test.id} class="lines">${test.failures.join("\n")}</li>`)}</ul><//>`}
    ${!problems.length && !failing.length && html`<${Notice} kind="ok">Every record can be read${tests.length ? `, and ${tests.length === 1 ? "the test of the set holds" : `all ${tests.length} tests of the set hold`}` : ""}.<//>`}
    ${others.length > 0 && html`<${Notice} kind="warn" title="Saving changes these too:">they hold numbers with more digits than a browser keeps.
      <${Changes} of=${others} open=${false} /><//>`}
    ${mine.length > 0 && html`<${Notice} kind="warn" title="Without effect:"><ul class="plain-list">${mine.map(line)}</ul><//>`}
  `;
}

/** Shows what the table has that the draft was not made of, and merges both. */
export function TakeIn({ onClose, onTaken }) {
  const loaded = useApi((signal) => api.get("rules", {}, { signal }));
  const of = draft.use();
  const [choices, setChoices] = useState({});
  const now = loaded.data;
  const { records, conflicts } = now ? merge(of.original, of.records, now.records, choices) : { records: [], conflicts: [] };
  const open = conflicts.filter(({ name }) => !choices[name]).length;
  const take = () => {
    begin(now.revision, now.records, records, of.message);
    onTaken();
  };
  const missing = now ? (open ? `Choose for ${open} more ${open === 1 ? "record" : "records"}.` : null) : "Loading.";
  const footer = html`
    <${Button} onClick=${onClose}>Not now<//>
    <${Button} kind="primary" why=${incomplete(of) ?? missing} onClick=${take}>Take it in<//>`;
  return html`
    <${Dialog} title="The rules were changed meanwhile" wide onClose=${onClose} footer=${footer}>
      <p>Nothing of yours was saved, and nothing is overwritten. These changes were made since you began. Take them into your draft to go on.</p>
      <${Loaded} of=${loaded}>${() => html`
        ${conflicts.length > 0 && html`<${Notice} kind="warn" title="Changed by both.">Choose which one stays.<//>`}
        ${conflicts.map((one) => html`<${Conflict} key=${one.name} of=${one} choice=${choices[one.name]} onChoice=${(choice) => setChoices({ ...choices, [one.name]: choice })} />`)}
        <h3>What changed in the table</h3>
        <${Changes} of=${changesOf(of.original, now.records)} empty="The table has the same records again." />
      `}<//>
    <//>
  `;
}

function Conflict({ of, choice, onChoice }) {
  const id = useId();
  const options = [["mine", "Keep mine", of.mine], ["theirs", "Keep theirs", of.theirs]];
  return html`
    <fieldset class="group">
      <legend>${of.name}</legend>
      <div class="columns">
        ${options.map(([name, label, record]) => html`<div key=${name} class="stack tight">
          <label class="check"><input type="radio" name=${id} checked=${choice === name} onChange=${() => onChoice(name)} /> <span>${label}${record ? "" : ": removed"}</span></label>
          <${Lines} before=${of.base} after=${record} label=${`${label}: ${of.name}`} />
        </div>`)}
      </div>
    </fieldset>
  `;
}
