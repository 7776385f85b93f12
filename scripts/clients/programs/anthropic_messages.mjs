// An agent on the official Anthropic client. https://github.com/anthropics/anthropic-sdk-typescript
import Anthropic from "@anthropic-ai/sdk";
import { MODEL, PROMPT, STREAM, TABLE, TOOLS } from "./tools.mjs";

const client = new Anthropic();
const tools = TABLE.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters }));
const request = { model: MODEL, tools, max_tokens: 4096, thinking: { type: "adaptive" } };
const messages = [{ role: "user", content: PROMPT }];

for (;;) {
  const message = STREAM
    ? await client.messages.stream({ messages, ...request }).finalMessage()
    : await client.messages.create({ messages, ...request });
  messages.push({ role: "assistant", content: message.content });
  const calls = message.content.filter((block) => block.type === "tool_use");
  if (message.stop_reason !== "tool_use") {
    console.log(message.content.at(-1).text);
    break;
  }
  const results = calls.map(({ id, name, input }) => ({ type: "tool_result", tool_use_id: id, content: TOOLS[name].run(input) }));
  messages.push({ role: "user", content: results });
}
