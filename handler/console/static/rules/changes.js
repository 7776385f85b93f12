// Two sets of records compared, and three of them merged. Pure: no component in here.
import { canonical } from "./json.js";

const part = (value) => (typeof value === "string" ? value : "");
/** Kind and id as one text. */
export const nameOf = (record) => `${part(record?.kind)}/${part(record?.id)}`;

const texts = new WeakMap(); // of records: a record is replaced, never changed
function text(record) {
  if (!record) return "";
  if (!texts.has(record)) texts.set(record, canonical(record));
  return texts.get(record);
}

function byName(records) {
  const names = new Map();
  for (const record of records) if (!names.has(nameOf(record))) names.set(nameOf(record), record);
  return names;
}

/** The indexes of records whose kind and id another one before them has. */
export const repeated = (records) => {
  const names = byName(records);
  return records.flatMap((record, index) => (names.get(nameOf(record)) === record ? [] : [index]));
};

/** What makes `after` of `before`: [{change: "added" | "changed" | "removed", kind, id, before, after}]. */
export function changesOf(before, after) {
  const [old, now] = [byName(before), byName(after)];
  const changes = [];
  for (const record of after) {
    const name = nameOf(record);
    const was = now.get(name) === record ? old.get(name) : null; // of two with one name the second is one more
    if (!was) changes.push({ change: "added", kind: record.kind, id: record.id, after: record });
    else if (text(was) !== text(record)) {
      changes.push({ change: "changed", kind: record.kind, id: record.id, before: was, after: record });
    }
  }
  for (const [name, record] of old) {
    if (!now.has(name)) changes.push({ change: "removed", kind: record.kind, id: record.id, before: record });
  }
  return changes;
}

/**
 * What two people made of `base`. Who alone changed a record has it his way; a record that both changed
 * differently is a conflict, decided by `choices[name]`: "mine" or "theirs".
 */
export function merge(base, mine, theirs, choices = {}) {
  const [old, own, other] = [byName(base), byName(mine), byName(theirs)];
  const records = [];
  const conflicts = [];
  for (const name of new Set([...own.keys(), ...other.keys(), ...old.keys()])) {
    const [was, one, two] = [old.get(name), own.get(name), other.get(name)].map(text);
    let chosen = one === was ? other.get(name) : own.get(name);
    if (one !== was && two !== was && one !== two) {
      conflicts.push({ name, base: old.get(name), mine: own.get(name), theirs: other.get(name) });
      chosen = (choices[name] === "theirs" ? other : own).get(name);
    }
    if (chosen) records.push(chosen);
  }
  return { records, conflicts };
}

/** The lines of two JSON texts: [{mark: " " | "-" | "+", text}], those that both have marked " ". */
export function lineDiff(before, after) {
  const [a, b] = [before, after].map((text) => (text ? text.split("\n") : []));
  if (a.length * b.length > 4e6) {
    return [...a.map((text) => ({ mark: "-", text })), ...b.map((text) => ({ mark: "+", text }))];
  }
  const longest = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const lines = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ mark: " ", text: a[i] });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || longest[i + 1][j] >= longest[i][j + 1])) {
      lines.push({ mark: "-", text: a[i] });
      i += 1;
    } else {
      lines.push({ mark: "+", text: b[j] });
      j += 1;
    }
  }
  return lines;
}
