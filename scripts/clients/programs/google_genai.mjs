// An agent on Google's client. https://googleapis.github.io/js-genai/
import { GoogleGenAI } from "@google/genai";
import { MODEL, PROMPT, STREAM, TABLE, TOOLS } from "./tools.mjs";

const client = new GoogleGenAI({});
const functionDeclarations = TABLE.map(({ name, description, parameters }) => ({ name, description, parametersJsonSchema: parameters }));
const chat = client.chats.create({ model: MODEL, config: { tools: [{ functionDeclarations }] } });

async function ask(message) {
  if (!STREAM) {
    const { text, functionCalls } = await chat.sendMessage({ message });
    return { text, calls: functionCalls ?? [] };
  }
  const answer = { text: "", calls: [] };
  for await (const chunk of await chat.sendMessageStream({ message })) {
    answer.text += chunk.text ?? "";
    answer.calls.push(...(chunk.functionCalls ?? []));
  }
  return answer;
}

for (let message = PROMPT; ; ) {
  const { text, calls } = await ask(message);
  if (calls.length === 0) {
    console.log(text);
    break;
  }
  message = calls.map(({ id, name, args }) => ({ functionResponse: { id, name, response: { output: TOOLS[name].run(args) } } }));
}
