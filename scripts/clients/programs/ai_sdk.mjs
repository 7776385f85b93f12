// An agent on the AI SDK. https://ai-sdk.dev/docs/agents/overview
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { FORMAT, MODEL, PROMPT, STREAM, TABLE } from "./tools.mjs";

const { SLUICE_URL: baseURL, SLUICE_API_KEY: apiKey } = process.env;
const model = {
  responses: () => createOpenAI({ baseURL, apiKey })(MODEL),
  messages: () => createAnthropic({ baseURL, apiKey })(MODEL),
  chat: () => createOpenAICompatible({ name: "sluice", baseURL, apiKey })(MODEL),
}[FORMAT]();
const tools = Object.fromEntries(
  TABLE.map(({ name, description, parameters, run }) => [
    name,
    tool({ description, inputSchema: jsonSchema(parameters), execute: run }),
  ]),
);
// Without it, the SDK sends the ids of items that it takes for stored.
const providerOptions = { openai: { store: false } };
const request = { model, tools, prompt: PROMPT, stopWhen: isStepCount(9), maxRetries: 0, providerOptions };
if (STREAM) {
  const answer = streamText({ ...request, onError: ({ error }) => { throw error; } });
  console.log(await answer.text);
} else {
  console.log((await generateText(request)).text);
}
