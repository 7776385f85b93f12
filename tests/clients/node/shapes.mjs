// Reads the answers of odd hosts through a gateway with openai-node and the AI SDK's OpenAI provider.
//
//     node tests/clients/node/shapes.mjs http://127.0.0.1:8080/v1 sk-sluice-... < cases.json
//
// A line per failure, exit status 1 if there is one. ../shapes.py reads them with the Python client.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const HELLO = [{ role: "user", content: "hello" }];
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const sdk = createOpenAI({ baseURL, apiKey });
const FINISH = { "tool-calls": "tool_calls", "content-filter": "content_filter" };

async function openaiNode(test) {
  const request = { model: test.model, messages: HELLO, tools: test.tools };
  const options = { ...request, stream_options: { include_usage: true } };
  const answer = await (test.stream
    ? client.chat.completions.stream(options).finalChatCompletion()
    : client.chat.completions.create(request));
  const [{ message, finish_reason: finish, index }] = answer.choices;
  const calls = message.tool_calls ?? [];
  assert.equal(index, 0);
  assert.equal(message.role, "assistant");
  assert.ok(answer.id && answer.created && answer.object && answer.model, "a head that lacks something");
  assert.ok(calls.every((call) => call.id && call.type === "function"), "calls without id or type");
  const usage = answer.usage;
  return {
    text: message.content ?? "",
    calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    finish,
    usage: usage ? [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens] : null,
  };
}

async function aiSdk(test) {
  const tools = Object.fromEntries(
    test.tools.map((one) => [one.function.name, tool({ inputSchema: jsonSchema(one.function.parameters) })]),
  );
  let failure;
  const onError = ({ error }) => {
    failure = error;
  };
  const request = { model: sdk.chat(test.model), messages: HELLO, tools, maxRetries: 0 };
  const answer = await (test.stream ? streamText({ ...request, onError }) : generateText(request));
  const calls = await answer.toolCalls;
  if (failure) throw failure;
  assert.ok(calls.every((call) => call.toolCallId), "calls without id");
  const usage = await answer.usage;
  const counts = [usage.inputTokens, usage.outputTokens, usage.totalTokens];
  const finish = await answer.finishReason;
  return {
    text: await answer.text,
    calls: calls.map((call) => [call.toolName, call.input]),
    finish: FINISH[finish] ?? finish,
    usage: counts[2] === undefined ? null : counts,
  };
}

const cases = JSON.parse(readFileSync(0, "utf8"));
let failed = 0;
for (const [name, read] of [["openai-node", openaiNode], ["the AI SDK", aiSdk]]) {
  for (const test of cases) {
    try {
      const { text, calls, finish, usage } = test;
      assert.deepEqual(await read(test), { text, calls, finish, usage });
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}, ${test.name}: ${String(error.message).replaceAll("\n", " ")}`);
    }
  }
}
console.log(`${2 * cases.length - failed} of ${2 * cases.length} held by openai-node and the AI SDK`);
process.exit(failed ? 1 : 0);
