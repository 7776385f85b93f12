// A chat request as curl, Python and Node. The key is a variable of the environment.

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function python(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  return JSON.stringify(value);
}

const messages = (body, by) => `[\n${body.messages.map((one) => `${" ".repeat(by + 4)}${JSON.stringify(one)},`).join("\n")}\n${" ".repeat(by)}]`;

/** [{id, label, text}] for a body and a base URL that ends in /v1. */
export function snippets(base, body) {
  const rest = Object.entries(body).filter(([name]) => name !== "messages");
  const curl = [
    `curl -N ${base}/chat/completions \\`,
    `  -H "authorization: Bearer $SLUICE_API_KEY" \\`,
    `  -H "content-type: application/json" \\`,
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ];
  const py = [
    "import os",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${JSON.stringify(base)}, api_key=os.environ["SLUICE_API_KEY"])`,
    "stream = client.chat.completions.create(",
    ...rest.map(([name, value]) => `    ${name}=${python(value)},`),
    `    messages=${messages(body, 4)},`,
    ")",
    "for chunk in stream:",
    "    if chunk.choices:",
    '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
  ];
  const node = [
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: process.env.SLUICE_API_KEY });`,
    `const stream = await client.chat.completions.create(${JSON.stringify(body, null, 2)});`,
    "for await (const chunk of stream) {",
    '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");',
    "}",
  ];
  return [
    { id: "curl", label: "curl", text: curl.join("\n") },
    { id: "python", label: "Python", text: py.join("\n") },
    { id: "node", label: "Node", text: node.join("\n") },
  ];
}
