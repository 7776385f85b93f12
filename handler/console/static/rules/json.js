// JSON that a person edits: comparison without the order of names, and errors that say where.
import { Digits, readJson } from "../lib/json.js";

/** One text for equal values: names sorted. `undefined` stands for what is absent. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!value || typeof value !== "object" || value instanceof Digits) return value === undefined ? "" : JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

export const same = (one, other) => canonical(one) === canonical(other);
export const isObject = (value) => !!value && typeof value === "object" && !Array.isArray(value) && !(value instanceof Digits);
export const pretty = (value) => (value === undefined ? "" : JSON.stringify(value, null, 2));

/** A value in a line of text. */
export const show = (value) => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));

/** What a person typed for a value that may be a number or true or false; "" is absent. */
export function typed(text) {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  return /^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(trimmed) ? readJson(trimmed) : trimmed;
}

const DEEPEST = 64;

/** `{value}` of a JSON text, or `{error}` with the line and the column: browsers do not all tell them. */
export function parse(text) {
  let at = 0;
  const fail = (problem) => {
    throw Object.assign(new Error(problem), { at });
  };
  const space = () => {
    while (" \t\n\r".includes(text[at] ?? "x")) at += 1;
  };
  const token = (pattern, problem) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) fail(problem);
    at += found[0].length;
    return found[0];
  };
  const string = () => {
    const raw = token(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y, text[at] === '"' ? "this text has no end, or a wrong escape" : "expected a name in double quotes");
    return JSON.parse(raw);
  };
  const separated = (end, member) => {
    at += 1;
    space();
    if (text[at] === end) return void (at += 1);
    for (;;) {
      member();
      space();
      if (text[at] === end) return void (at += 1);
      if (text[at] !== ",") fail(`expected a comma or ${end}`);
      at += 1;
      space();
    }
  };
  const value = (depth) => {
    if (depth > DEEPEST) fail("too many levels");
    space();
    const first = text[at];
    if (first === '"') return void string();
    if (first === "[") return separated("]", () => value(depth + 1));
    if (first === "{") {
      const names = new Set();
      return separated("}", () => {
        const begin = at;
        const name = string();
        if (names.has(name)) {
          at = begin;
          fail(`the name "${name.slice(0, 60)}" is given twice`);
        }
        names.add(name);
        space();
        if (text[at] !== ":") fail("expected a colon");
        at += 1;
        value(depth + 1);
      });
    }
    return void token(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y, first === undefined ? "the text ends too early" : "expected a value");
  };
  try {
    value(0);
    space();
    if (at < text.length) fail("nothing may follow here");
    return { value: readJson(text) };
  } catch (error) {
    const before = text.slice(0, error.at ?? 0).split("\n");
    return { error: `Line ${before.length}, column ${before.at(-1).length + 1}: ${error.message}.`, at: error.at };
  }
}
