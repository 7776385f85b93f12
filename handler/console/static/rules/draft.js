// The draft: the records as this tab has changed them. It stays over reloads and sign-outs, in sessionStorage.
//
// `draft` holds null or {base, original, records, texts, message, kept, turn}: the revision that it was made of and
// its records; the records now; by "INDEX PATH" the texts of JSON fields that cannot be read. `turn` changes when
// records may have another index than before.
import { readJson } from "../lib/json.js";
import { createStore } from "../lib/store.js";
import { changesOf } from "./changes.js";
import { isObject } from "./json.js";

const NAME = "sluice.draft";
const MOST = 2_400_000; // characters: a set has at most a million, and browsers store five
const PAUSE = 300; // milliseconds between the last change and its storing

export const draft = createStore(stored());

function stored() {
  try {
    const found = readJson(sessionStorage.getItem(NAME));
    const valid = isObject(found) && [found.original, found.records].every((all) => Array.isArray(all) && all.every(isObject));
    return valid ? { texts: {}, message: "", ...found, kept: true, turn: 0 } : null;
  } catch {
    return null;
  }
}

const known = new WeakMap();

/** The changes of a draft against the records that it was made of. */
export function draftChanges(of) {
  if (!of) return [];
  if (!known.has(of.records)) known.set(of.records, [of.original, changesOf(of.original, of.records)]);
  const [original, changes] = known.get(of.records);
  return original === of.original ? changes : changesOf(of.original, of.records);
}

export const isDirty = (of = draft.get()) => !!of && (draftChanges(of).length > 0 || Object.keys(of.texts).length > 0);

let timer = null;

function store() {
  clearTimeout(timer);
  timer = null;
  const of = draft.get();
  let kept = true;
  try {
    const text = isDirty(of) ? JSON.stringify(of) : "";
    kept = text.length <= MOST;
    if (text && kept) sessionStorage.setItem(NAME, text);
    else sessionStorage.removeItem(NAME);
  } catch {
    kept = false;
  }
  if (of && of.kept !== kept) draft.set({ ...of, kept });
}

draft.subscribe(() => {
  clearTimeout(timer);
  timer = setTimeout(store, PAUSE);
});
addEventListener("pagehide", () => timer && store());
addEventListener("beforeunload", (event) => isDirty() && event.preventDefault());

/** Begin with the records as they are stored; a draft with changes stays as it is. */
export function adopt({ revision, records }) {
  if (!isDirty()) begin(revision, records);
}

/** Begin anew: `records` on top of the stored `original`. */
export const begin = (base, original, records = original, message = "") =>
  draft.set((old) => ({ base, original, records, texts: {}, message, kept: true, turn: (old?.turn ?? 0) + 1 }));

export const discard = () => begin(draft.get().base, draft.get().original);
export const setMessage = (message) => draft.set((of) => ({ ...of, message }));

const withRecords = (change) => draft.set((of) => ({ ...of, records: change(of.records) }));

export const setRecord = (index, record) => withRecords((all) => all.map((old, at) => (at === index ? record : old)));

export const addRecord = (record) => withRecords((all) => [...all, record]);

export function removeRecord(index) {
  draft.set((of) => ({
    ...of,
    turn: of.turn + 1,
    records: of.records.filter((_, at) => at !== index),
    texts: Object.fromEntries(
      Object.entries(of.texts).flatMap(([key, text]) => {
        const [at, path] = [parseInt(key, 10), key.slice(key.indexOf(" ") + 1)];
        return at === index ? [] : [[`${at > index ? at - 1 : at} ${path}`, text]];
      }),
    ),
  }));
}

/** Take back one of the draft's changes. */
export function undo({ before, after }) {
  const index = draft.get().records.indexOf(after);
  if (!before) removeRecord(index);
  else if (!after) addRecord(before);
  else setRecord(index, before);
}

/** Keep a text that is no JSON, or forget it. */
export function setText(index, path, text) {
  const key = `${index} ${path}`;
  const { texts } = draft.get();
  if (texts[key] === text) return;
  const { [key]: _, ...others } = texts;
  draft.set((of) => ({ ...of, texts: text === undefined ? others : { ...others, [key]: text } }));
}

/** An id of this kind that no record has: `name`, `name-2`, ... */
export function freeId(kind, name) {
  const taken = new Set(draft.get().records.filter((record) => record.kind === kind).map((record) => record.id));
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? name : `${name}-${n}`;
    if (!taken.has(id)) return id;
  }
}
