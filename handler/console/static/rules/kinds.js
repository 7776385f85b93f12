// The kinds of records as the form shows them: labels, order and widgets. Names, types and choices of the fields
// come from the served JSON Schema; a field that is not in this table gets a widget by its type.
import { dollars } from "../lib/format.js";
import { isObject, show } from "./json.js";

const field = (name, label, widget, about = {}) => ({ name, label, widget, ...about });
const more = (name, label, widget, about = {}) => ({ name, label, widget, more: true, ...about });
const LINES = "One on each line.";
const NOTIFY = "The ARN of an SNS topic, or the https address of a webhook.";
const EACH = "key, project, user, session, agent or tag.<name>: a counter for each value. Empty: one for all.";

const SECONDS = [["connect", "Connect (s)"], ["first_token", "First token (s)"], ["idle", "Idle (s)"], ["total", "Total (s)"]];
const PRICES = [
  ["input", "Input"], ["output", "Output"], ["cached_input", "Cached input"], ["cache_write", "Cache write"],
  ["reasoning", "Reasoning"], ["audio_input", "Audio input"], ["audio_output", "Audio output"],
];
const numbers = (pairs) => pairs.map(([name, label]) => field(name, label, "number"));

export const KINDS = {
  route: {
    label: "Route", about: "Chooses the model, and how it is asked. Of those that match, the most specific applies.",
    fields: [
      field("model", "Model", "model", { hint: "Answers when the request names none." }),
      field("prefer", "Preference", "choice", { hint: "How models are ranked when none is named." }),
      field("fallbacks", "Fallbacks", "models", { hint: `Tried next, in this order. ${LINES}` }),
      field("override", "Answer even if the request names another model", "flag"),
      more("split", "Split", "split"),
      more("sticky", "Sticky", "text", { hint: "user, key, tag.<name> or request: these stay on one arm of the split." }),
      more("cap", "Caps", "group", { of: [field("max_tokens", "Max tokens", "number"), field("n", "Choices (n)", "number"), field("reasoning_effort", "Reasoning effort", "choice")] }),
      more("timeouts", "Timeouts", "group", { of: numbers(SECONDS) }),
      more("retries", "Retries", "number", { hint: "0 to 3, of the same model. Empty: 1." }),
      more("hedge_after", "Hedge after (s)", "number", { hint: "Seconds of silence until a second model is asked." }),
      more("retry_after_max", "Longest wait after a 429 (s)", "number", { hint: "0 to 20. Empty: 3." }),
      more("recovery", "When a stream breaks", "choice"),
      more("affinity", "Affinity", "choice", { hint: "none: equal models are tried by their ids, not where the prompt is cached." }),
      more("set", "Fields to set", "json", { hint: "Put into every request; null removes a field." }),
      more("defaults", "Default fields", "json", { hint: "Put into requests that lack them." }),
      more("allow_fields", "Allowed fields", "list", { hint: `Fields that the provider refuses otherwise. ${LINES}` }),
    ],
  },
  access: {
    label: "Access", about: "Every record that applies must admit the model.",
    fields: [
      field("models", "Models that may be used", "models", { hint: `Patterns with *. ${LINES} Empty: all.`, none: "No model at all" }),
      field("deny", "Models that may not be used", "models", { hint: `Takes precedence. ${LINES}` }),
    ],
  },
  limit: {
    label: "Limit", about: "Counts requests or tokens. Every record that applies is counted.",
    fields: [
      field("requests", "Requests", "number", { hint: "Either this or tokens." }), field("tokens", "Tokens", "number"),
      field("per", "Per", "choice", { required: true }), field("each", "Each", "text", { hint: EACH }),
      more("on_store_failure", "When DynamoDB fails", "choice"), more("notify", "Alerts go to", "text", { hint: NOTIFY }),
    ],
  },
  budget: {
    label: "Budget", about: "Counts dollars. Every record that applies is counted.",
    fields: [
      field("usd", "US dollars", "number", { required: true }), field("per", "Per", "choice", { required: true }),
      field("each", "Each", "text", { hint: EACH }),
      field("then", "When it is used up", "group", {
        hint: "Empty: requests are refused.",
        of: [field("model", "Model", "model"), field("prefer", "Preference", "choice"), field("override", "Even if the request names another model", "flag")],
      }),
      more("on_store_failure", "When DynamoDB fails", "choice"), more("notify", "Alerts go to", "text", { hint: NOTIFY }),
    ],
  },
  alias: {
    label: "Alias", about: "A name for a list of models.", unscoped: true,
    fields: [field("models", "Models", "models", { required: true, hint: `Tried in this order. ${LINES}` })],
  },
  provider: {
    label: "Provider", about: "A new provider, or changes to a built-in one of the same id.", unscoped: true,
    fields: [
      field("base_url", "Base URL", "text", { hint: "Required unless the provider is built in." }),
      field("credential", "Credential", "names", { hint: "The name of an environment variable or parameter, never the secret itself." }),
      field("dialect", "Wire format", "choice"), field("auth", "Authentication", "choice"),
      more("unlisted", "Models that the catalogue does not list", "choice"),
      more("headers", "Headers", "json"), more("quirks", "Quirks", "json"),
    ],
  },
  model: {
    label: "Model", about: "Replaces a row of the catalogue. Its id is provider/name.", unscoped: true,
    fields: [
      field("provider", "Provider", "text", { required: true }), field("name", "The provider's name of it", "text", { required: true }),
      field("like", "Another name of", "model", { hint: "A model of the catalogue, which supplies what is empty here." }),
      field("price", "Price (US dollars per million tokens)", "group", { of: [...numbers(PRICES), field("tiers", "Tiers", "json")] }),
      field("auto", "May be chosen when no model is named", "flag", { unset: true }),
      more("pool", "Pool", "text"), more("context", "Context (tokens)", "number"), more("max_output", "Max output (tokens)", "number"),
      more("can", "Features", "list", { hint: LINES }), more("quality", "Quality (1 to 5)", "number"),
    ],
  },
  test: {
    label: "Test", about: "A request and what must come of it. A set that fails one cannot be saved.", unscoped: true,
    fields: [
      field("request", "Request", "json", { required: true, hint: "The body of a chat request." }),
      field("as", "Caller", "group", { of: [field("project", "Project", "text"), field("key", "Key (id)", "text"), field("function", "Function", "text")] }),
      field("at", "Time", "text", { hint: "mon 12:00 or 2026-01-31T09:00:00Z, UTC. Empty: Monday 12:00." }),
      field("expect", "Expected", "group", { of: [field("model", "Model", "model"), field("rule", "Rule", "text"), field("reason", "Reason", "choice"), field("error", "Error code", "text")] }),
    ],
  },
  log: {
    label: "Log", about: "Stores requests with their answers in the stack's bucket. The most specific applies.",
    fields: [
      field("sample", "Share of requests", "number", { required: true, hint: "0 to 1." }), field("days", "Days", "number", { required: true }),
      field("redact", "Remove before storing", "list", { hint: `email, ip, iban, card, ssn, phone, or patterns. ${LINES}` }),
    ],
  },
  cache: {
    label: "Cache", about: "Lets answers be cached. The most specific applies.",
    fields: [field("ttl", "Seconds that an answer is used", "number", { required: true })],
  },
  mcp: {
    label: "Tool server", about: "A server of the Model Context Protocol, whose tools Sluice runs.",
    fields: [
      field("url", "URL", "text", { required: true }),
      field("credential", "Credential", "text", { hint: "The name of an environment variable or parameter, never the secret itself." }),
      field("tools", "Tools that may be called", "list", { hint: `Patterns with *. ${LINES} Empty: all.` }),
    ],
  },
};

/** What a new record of a kind begins with. */
export const NEW = {
  route: { model: "" }, access: { models: [] }, limit: { requests: 60, per: "minute" }, budget: { usd: 10, per: "month" },
  alias: { models: [] }, provider: { base_url: "" }, model: { provider: "", name: "" },
  test: { request: { messages: [{ role: "user", content: "Hello" }] }, expect: {} }, log: { sample: 0.01, days: 30 },
  cache: { ttl: 3600 }, mcp: { url: "" },
};

export const COMMON = new Set(["kind", "id", "enabled", "scope", "when", "priority", "note"]);

/** The value of `$ref` and the like: the first of the schema's alternatives that has `name`. */
function find(schema, name, root, depth = 0) {
  if (!isObject(schema) || depth > 6) return undefined;
  if (schema[name] !== undefined) return schema[name];
  const target = typeof schema.$ref === "string" && schema.$ref.split("/").slice(1).reduce((at, key) => at?.[key], root);
  for (const one of [target, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) {
    const found = find(one, name, root, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

const WIDGETS = { boolean: "flag", number: "number", integer: "number", array: "json", object: "json" };

/** The fields of a kind in the order of the form: those of the table, then those that only the schema has. */
export function fieldsOf(kind, schema) {
  const rows = KINDS[kind]?.fields ?? [];
  const properties = find(schema, "properties", schema) ?? {};
  const described = rows.map((row) => described_(row, properties[row.name], schema));
  const others = Object.keys(properties).filter((name) => !COMMON.has(name) && !rows.some((row) => row.name === name));
  return [
    ...described,
    ...others.map((name) => {
      const choices = texts(find(properties[name], "enum", schema));
      const widget = choices?.length ? "choice" : (WIDGETS[find(properties[name], "type", schema)] ?? "text");
      return { name, label: name, widget, more: true, choices, hint: find(properties[name], "description", schema) };
    }),
  ];
}

/** The facts that a condition of this kind may name, each with the texts that it may be. */
export function factsOf(schema) {
  const facts = find(find(schema, "properties", schema)?.when, "properties", schema) ?? {};
  return new Map(Object.entries(facts).map(([fact, about]) => [fact, texts(find(about, "enum", schema)) ?? []]));
}

const texts = (values) => values?.filter((one) => typeof one === "string" && !["true", "false"].includes(one));

function described_(row, property, root) {
  const members = find(property, "properties", root) ?? {};
  return {
    ...row,
    choices: texts(find(property, "enum", root)),
    ...(row.of ? { of: row.of.map((member) => described_(member, members[member.name], root)) } : {}),
  };
}

const list = (value) => (Array.isArray(value) ? value.map(show).join(", ") : show(value));
const joined = (...parts) => parts.filter(Boolean).join("; ");
const each = (record) => (record.each ? ` each ${show(record.each)}` : "");

const SUMMARIES = {
  route: (r) => joined(
    r.model && `${r.override === true ? "always " : ""}${show(r.model)}`,
    Array.isArray(r.split) && r.split.map((arm) => `${show(arm?.weight)} : ${show(arm?.model)}`).join(", "),
    r.prefer && `prefer ${show(r.prefer)}`, r.fallbacks && `then ${list(r.fallbacks)}`,
    Object.keys(r).filter((name) => !COMMON.has(name) && !["model", "split", "prefer", "fallbacks", "override"].includes(name)).join(", "),
  ),
  access: (r) => joined(r.models !== undefined && (list(r.models) ? `only ${list(r.models)}` : "no model"), r.deny && `never ${list(r.deny)}`),
  limit: (r) => `${r.requests !== undefined ? `${show(r.requests)} requests` : `${show(r.tokens)} tokens`} a ${show(r.per)}${each(r)}`,
  budget: (r) => joined(`${typeof r.usd === "number" ? dollars(r.usd) : show(r.usd)} a ${show(r.per)}${each(r)}`, isObject(r.then) && `then ${show(r.then.model ?? r.then.prefer)}`),
  alias: (r) => list(r.models),
  provider: (r) => joined(show(r.base_url), list(r.credential)),
  model: (r) => joined(r.like && `like ${show(r.like)}`, isObject(r.price) && `$${show(r.price.input)} in, $${show(r.price.output)} out`, r.auto === false && "not automatic"),
  test: (r) => (isObject(r.expect) ? Object.entries(r.expect).map(([name, value]) => `${name} ${show(value)}`).join(", ") : ""),
  log: (r) => `${typeof r.sample === "number" ? `${Math.round(r.sample * 1e4) / 100} %` : show(r.sample)} of requests, for ${show(r.days)} days`,
  cache: (r) => `${show(r.ttl)} s`,
  mcp: (r) => joined(show(r.url), r.tools && list(r.tools)),
};

/** What a record does, in a line. */
export const summary = (record) => SUMMARIES[record.kind]?.(record) ?? "";

/** To whom and when a record applies, in a line. */
export function appliesTo(record) {
  const scope = isObject(record.scope) ? Object.entries(record.scope).map(([name, value]) => `${name} ${list(value)}`) : [];
  const when = isObject(record.when) ? Object.entries(record.when).map(([fact, value]) => `${fact} ${conditionText(value)}`) : [];
  return [...scope, ...when].join(" and ");
}

const SIGNS = { gt: ">", gte: "≥", lt: "<", lte: "≤" };
function conditionText(value) {
  if (!isObject(value)) return Array.isArray(value) ? `in ${list(value)}` : `= ${show(value)}`;
  return Object.entries(value).map(([op, operand]) => `${SIGNS[op] ?? op} ${list(operand)}`).join(" and ");
}
