// Holds the conversations of ../conversations.json with the AI SDK: a line for each, exit status 1 on failure.
//
//     node tests/clients/node/conversations.mjs http://127.0.0.1:8080/v1 sk-sluice-... [the beginning of a name]
//
// ../conversations.py holds them with the openai client. https://ai-sdk.dev/docs/reference/ai-sdk-core
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from "ai";

const TABLE = JSON.parse(readFileSync(new URL("../conversations.json", import.meta.url), "utf8"));
const STATUS = { BadRequestError: 400, NotFoundError: 404, RateLimitError: 429, InternalServerError: 502 };
const ROLES = { developer: "system", system: "system", user: "user", assistant: "assistant" };
const FINISH = { "tool-calls": "tool_calls", "content-filter": "content_filter" };
// The SDK's names of request fields. Other fields are provider options.
const SETTINGS = {
  max_tokens: "maxOutputTokens",
  temperature: "temperature",
  top_p: "topP",
  frequency_penalty: "frequencyPenalty",
  stop: "stopSequences",
};
// The SDK returns signatures only to a provider of this name.
const NAME = "google";

const [baseURL, apiKey, beginning = ""] = process.argv.slice(2);
const gateway = createOpenAICompatible({
  name: NAME,
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});

function* cases() {
  for (const talk of TABLE.conversations) {
    const holds = (talk.clients ?? ["ai"]).includes("ai") && talk.name.startsWith(beginning);
    for (const service of holds ? (talk.on ?? TABLE.services) : []) {
      yield [talk, service, false];
      yield [talk, service, true];
    }
  }
}

async function* turns(talk, service, stream) {
  const models = { ...TABLE.models, ...talk.models };
  const messages = [];
  let calls = [];
  for (const turn of talk.turns) {
    service = turn.to ?? service;
    messages.push(...messagesOf(turn, calls));
    const id = models[turn.model ?? service] ?? turn.model;
    const request = { model: gateway(id), messages, maxRetries: 0, allowSystemInMessages: true, ...requestOf(turn, models) };
    const expected = expectedHere(turn.expect, service);
    const answer = await (stream ? readStream(request) : generateText(request)).catch((error) => ({ error }));
    if (answer.error) {
      checkError(answer.error, expected);
    } else {
      checkAnswer(answer, expected, models[turn.by] ?? id);
      messages.push(...answer.response.messages);
      calls = answer.toolCalls;
    }
    yield;
  }
}

function* messagesOf(turn, calls) {
  for (const [name, value] of Object.entries(turn)) {
    if (name === "answer") yield { role: "tool", content: Object.entries(value).map((result) => toolResult(result, calls)) };
    else if (ROLES[name]) {
      for (const one of value.all ?? [value]) yield { role: ROLES[name], content: content(one) };
    }
  }
}

function toolResult([toolName, value], calls) {
  const { toolCallId } = calls.find((call) => call.toolName === toolName);
  return { type: "tool-result", toolCallId, toolName, output: { type: "text", value } };
}

function content(value) {
  return typeof value === "string" ? value : value.map((part) => media(TABLE.parts[part]) ?? { type: "text", text: part });
}

function media(part) {
  const url = part && (part.image_url?.url ?? part.file.file_data);
  return url && { type: "file", data: url, mediaType: url.slice("data:".length, url.indexOf(";")) };
}

function requestOf(turn, models) {
  const request = { providerOptions: { [NAME]: {} } };
  const options = request.providerOptions[NAME];
  for (const [name, value] of Object.entries(turn.with ?? {})) {
    if (name in SETTINGS) request[SETTINGS[name]] = value;
    else options[name === "reasoning_effort" ? "reasoningEffort" : name] = value;
  }
  if (turn.fallback) options.fallback_models = [models[turn.fallback]];
  if (turn.tools) request.tools = Object.fromEntries(turn.tools.map((name) => [name, toolOf(TABLE.tools[name])]));
  if (turn.choice) request.toolChoice = turn.choice in TABLE.tools ? { type: "tool", toolName: turn.choice } : turn.choice;
  if (turn.schema) {
    request.output = Output.object({ name: turn.schema, schema: jsonSchema(TABLE.schemas[turn.schema]) });
  }
  return request;
}

function toolOf({ description, parameters, strict }) {
  return tool({ description, strict, inputSchema: jsonSchema(parameters ?? { type: "object", properties: {} }) });
}

async function readStream(request) {
  const result = streamText({ ...request, onError: () => {} });
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
  }
  const names = ["text", "toolCalls", "finishReason", "reasoningText", "response", "usage"];
  const values = await Promise.all(names.map((name) => result[name]));
  return Object.fromEntries(names.map((name, at) => [name, values[at]]));
}

// The expected values for this service.
function expectedHere(expected, service) {
  return Object.fromEntries(
    Object.entries(expected).map(([name, value]) => {
      if (value?.constructor === Object) value = value[service] ?? value.others;
      return [name, typeof value === "string" ? value.replaceAll("{service}", service) : value];
    }),
  );
}

function checkError(error, expected) {
  if (!expected.error || !APICallError.isInstance(error)) throw error;
  assert.equal(error.statusCode, STATUS[expected.error]);
  if (expected.code) assert.equal(JSON.parse(error.responseBody).error.code, expected.code);
}

function checkAnswer(answer, expected, model) {
  assert.ok(!expected.error, `no ${expected.error}, but ${answer.text}`);
  const calls = answer.toolCalls.map((call) => call.toolName);
  const found = { text: answer.text, calls, finish: FINISH[answer.finishReason] ?? answer.finishReason };
  assert.deepEqual(found, {
    text: expected.text || expected.refusal || "", // the SDK shows a refusal as text
    calls: expected.calls ?? [],
    finish: expected.finish ?? (calls.length ? "tool_calls" : "stop"),
  });
  if (expected.reasoning !== undefined) assert.equal(Boolean(answer.reasoningText), expected.reasoning);
  assert.equal(answer.response.modelId, model);
  assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens >= 0, "no usage");
}

const outcomes = { ok: 0, FAIL: 0 };
for (const [talk, service, stream] of cases()) {
  const name = `${talk.name}, on ${service}${stream ? ", streamed" : ""}`;
  let turn = 1;
  try {
    for await (const _ of turns(talk, service, stream)) turn += 1;
    outcomes.ok += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    outcomes.FAIL += 1;
    console.log(`FAIL  ${name}: turn ${turn}: ${error.name}: ${error.message}`);
  }
}
console.log(`${outcomes.FAIL} FAIL, ${outcomes.ok} ok`);
process.exitCode = outcomes.FAIL || !outcomes.ok ? 1 : 0;
