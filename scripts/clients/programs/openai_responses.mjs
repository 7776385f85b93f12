// An agent on the official openai client: Responses. https://github.com/openai/openai-node
import OpenAI from "openai";
import { MODEL, PROMPT, STREAM, TABLE, TOOLS } from "./tools.mjs";

const client = new OpenAI();
const tools = TABLE.map(({ name, description, parameters }) => ({ type: "function", name, description, parameters, strict: true }));
const request = { model: MODEL, tools, store: false, include: ["reasoning.encrypted_content"] };
const input = [{ role: "user", content: PROMPT }];

async function readStream() {
  for await (const event of await client.responses.create({ input, ...request, stream: true })) {
    if (event.type === "response.completed") return event.response;
  }
}

for (;;) {
  const response = STREAM ? await readStream() : await client.responses.create({ input, ...request });
  input.push(...response.output);
  const calls = response.output.filter((item) => item.type === "function_call");
  for (const { name, call_id, arguments: text } of calls) {
    input.push({ type: "function_call_output", call_id, output: TOOLS[name].run(JSON.parse(text)) });
  }
  if (calls.length === 0) {
    console.log(response.output.at(-1).content[0].text);
    break;
  }
}
