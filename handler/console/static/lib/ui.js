// Small components that every page uses: Page, Card, Button, Badge, Notice, Loading, Failure, Code, Tabs, Meter...
import { ago, date, time } from "./format.js";
import { cx, html, useEffect, useId, useLayoutEffect, useRef, useState } from "./html.js";
import { session, whyReadOnly } from "./session.js";

/** A page: its heading gets the focus when it is opened, so that screen readers read it. */
export function Page({ title, lead, actions, children }) {
  const heading = useRef(null);
  useLayoutEffect(() => {
    document.title = `${title} · Sluice`;
  }, [title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return html`
    <header class="page-head">
      <div>
        <h1 tabindex="-1" ref=${heading}>${title}</h1>
        ${lead && html`<p class="lead">${lead}</p>`}
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  `;
}

/** A section with a heading; `actions` stand at its right. */
export function Card({ title, note, actions, flush, children, class: name }) {
  const id = useId();
  return html`
    <section class=${cx("card", flush && "flush", name)} aria-labelledby=${title ? id : undefined}>
      ${title &&
      html`<header class="card-head">
        <div><h2 id=${id}>${title}</h2>${note && html`<p class="note">${note}</p>`}</div>
        ${actions && html`<div class="actions">${actions}</div>`}
      </header>`}
      ${children}
    </section>
  `;
}

/**
 * A button. `kind`: primary, danger, quiet. `busy`: it works. `why`: the reason why it cannot be used; it keeps
 * the focus then, so that the reason can be read. `write`: it needs a key that may change things.
 */
export function Button({ kind, busy, why, write, onClick, children, class: name, type = "button", ...rest }) {
  const readOnly = whyReadOnly(session.use().info);
  const reason = why ?? (write ? readOnly : null);
  const id = useId();
  return html`
    <button
      type=${type}
      class=${cx("button", kind, name)}
      aria-disabled=${reason || busy ? "true" : undefined}
      aria-describedby=${reason ? id : undefined}
      title=${reason ?? rest.title}
      ...${rest}
      onClick=${(event) => (reason || busy ? event.preventDefault() : onClick?.(event))}
    >
      ${busy && html`<span class="spinner" aria-hidden="true"></span>`}${children}
    </button>
    ${reason && html`<span id=${id} class="hidden">${reason}</span>`}
  `;
}

/** What a page says above controls that this key cannot use. */
export function ReadOnly() {
  const reason = whyReadOnly(session.use().info);
  return reason && html`<${Notice}>${reason}<//>`;
}

/** A word with a colour: ok, bad, warn, info or none. */
export const Badge = ({ kind = "none", children }) => html`<span class=${cx("badge", kind)}>${children}</span>`;

/** A sentence that stands out. `kind`: info, ok, warn, bad. */
export const Notice = ({ kind = "info", title, children, actions }) => html`
  <div class=${cx("notice", kind)} role=${kind === "bad" ? "alert" : undefined}>
    <div>${title && html`<strong>${title}</strong> `}${children}</div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </div>
`;

export const Loading = ({ children = "Loading…" }) =>
  html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${children}</p>`;

/** An error, with the server's words; `retry` is called by its button. */
export const Failure = ({ error, retry, title }) =>
  error &&
  html`<${Notice} kind="bad" title=${title}
    actions=${retry && html`<${Button} kind="quiet" onClick=${retry}>Try again<//>`}>${error.message}<//>`;

/** What `useApi` returned: loading, an error, or `children(data)`. Old data stays while new data loads. */
export function Loaded({ of, children, title }) {
  return html`
    <${Failure} error=${of.error} retry=${of.reload} title=${title} />
    ${of.data !== undefined ? children(of.data) : of.loading && html`<${Loading} />`}
  `;
}

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** A time of the API, as its age or in full; the other form is the tooltip. */
export const Time = ({ value, age }) =>
  value === null || value === undefined
    ? html`<span class="dim">never</span>`
    : html`<time datetime=${date(value).toISOString()} title=${age ? time(value) : ago(value)}>${age ? ago(value) : time(value)}</time>`;

/** Facts as a list of names and values: `of` is [[name, value]]; those without a value are left out. */
export const Pairs = ({ of }) => html`
  <dl class="pairs">${of
    .filter(([, value]) => value || value === 0)
    .map(([name, value], at) => html`<div key=${at}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`;

export const Mono = ({ children }) => html`<code class="inline">${children}</code>`;

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function Copy({ text, label = "Copy", what }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2500);
    return () => clearTimeout(timer);
  }, [done]);
  return html`
    <button type="button" class="button quiet small" aria-label=${what ? `${label} ${what}` : undefined}
      onClick=${() => copyText(typeof text === "function" ? text() : text).then(() => setDone(true))}>
      ${done ? "Copied" : label}
    </button>
    <span class="hidden" role="status">${done ? "Copied" : ""}</span>
  `;
}

/** A block of code with its label and a button that copies it; `wrap` breaks its lines, as of a key. */
export const Code = ({ text, label = "Code", wrap }) => html`
  <figure class=${cx("code", wrap && "wrap")}>
    <figcaption><span>${label}</span><${Copy} text=${text} what=${label} /></figcaption>
    <pre tabindex="0" role="group" aria-label=${label}><code>${text}</code></pre>
  </figure>
`;

/** Tabs: `tabs` is [{id, label}], `children` the content of the chosen one. Arrow keys move between them. */
export function Tabs({ tabs, value, onChange, label, children }) {
  const id = useId();
  const list = useRef(null);
  const move = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === value);
    const step = steps[event.key];
    const next = Number.isFinite(step) ? (at + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    onChange(tabs[next].id);
    list.current.children[next].focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
      ${tabs.map(
        (tab) => html`<button type="button" role="tab" key=${tab.id} id=${`${id}-${tab.id}`}
          aria-selected=${tab.id === value ? "true" : "false"} aria-controls=${`${id}-panel`}
          tabindex=${tab.id === value ? 0 : -1} onClick=${() => onChange(tab.id)}>${tab.label}</button>`,
      )}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${value}`} class="tabpanel">${children}</div>
  `;
}

/** One of a few choices as buttons in a row, such as the period of a plot. */
export const Choice = ({ label, options, value, onChange }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${options.map(
      ([id, text]) => html`<button type="button" key=${id} aria-pressed=${id === value ? "true" : "false"}
        onClick=${() => onChange(id)}>${text}</button>`,
    )}
  </div>
`;

/** How much of a limit is used, as a bar; `text` says it in words. */
export function Meter({ used, limit, label, text }) {
  const share = limit > 0 ? Math.min(1, Math.max(0, used / limit)) : 1;
  return html`
    <div class="meter-row">
      <div class=${cx("meter", share >= 1 ? "bad" : share >= 0.8 && "warn")} role="meter" aria-label=${label} aria-valuemin="0"
        aria-valuemax="100" aria-valuenow=${Math.round(share * 100)} aria-valuetext=${text}>
        <span style=${{ width: `${share * 100}%` }}></span>
      </div>
      <span class="meter-text">${text}</span>
    </div>
  `;
}

const PATHS = {
  overview: "M3 17h14M5 14V9m5 5V4m5 10v-7",
  rules: "M4 5h6m-6 5h12M4 15h8m3-12v4m-2-2h4",
  history: "M3.5 10a6.5 6.5 0 1 0 2-4.7L3.5 7m0-4v4h4M10 6.5V10l2.5 2",
  requests: "M4 5h12M4 10h12M4 15h12",
  keys: "M8.5 11.5 16 4m-2.5 2.5L16 9m-8.5 1a3.2 3.2 0 1 0 .2 6.4 3.2 3.2 0 0 0-.2-6.4Z",
  playground: "M4 4h12v9H9l-4 3v-3H4Z",
  connect: "M7 3v4m6-4v4M5 7h10v3a5 5 0 0 1-10 0Zm5 8v3",
  menu: "M3 5h14M3 10h14M3 15h14",
  close: "M5 5l10 10M15 5 5 15",
  out: "M8 4H4v12h4m4-9 3 3-3 3m3-3H8",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 2v1.5m0 13V18M2 10h1.5m13 0H18M4.3 4.3l1.1 1.1m9.2 9.2 1.1 1.1m0-11.4-1.1 1.1m-9.2 9.2-1.1 1.1",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.500 4a6.500 6.500 0 1 0 7.500 7.500Z",
  auto: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm0 0v14",
};
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"
    stroke-linejoin="round" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>
`;
