// An agent on the official openai client: Chat Completions, with its own runner of tools.
// https://github.com/openai/openai-node/blob/master/helpers.md
import OpenAI from "openai";
import { MODEL, PROMPT, STREAM, TABLE } from "./tools.mjs";

const runner = new OpenAI().chat.completions.runTools({
  model: MODEL,
  messages: [{ role: "user", content: PROMPT }],
  tools: TABLE.map(({ name, description, parameters, run }) => ({
    type: "function",
    function: { name, description, parameters, parse: JSON.parse, function: run },
  })),
  stream: STREAM,
});
console.log(await runner.finalContent());
