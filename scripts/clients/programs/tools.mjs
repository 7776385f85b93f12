// The task of a program, and the tools that it gives to the model.
import { readFileSync, writeFileSync } from "node:fs";

export const { MODEL, PROMPT, MODE, FORMAT } = process.env;
export const STREAM = MODE === "stream";

function readFile({ path }) {
  return readFileSync(path, "utf8");
}

function editFile({ path, old, new: text }) {
  const before = readFileSync(path, "utf8");
  writeFileSync(path, before.replaceAll(old, text));
  return before.includes(old) ? "edited" : `${old} is not in the file`;
}

const texts = (...names) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
  additionalProperties: false,
});

export const TOOLS = {
  read_file: { description: "Read a text file.", parameters: texts("path"), run: readFile },
  edit_file: { description: "Replace a text in a file.", parameters: texts("path", "old", "new"), run: editFile },
};
export const TABLE = Object.entries(TOOLS).map(([name, tool]) => ({ name, ...tool }));
