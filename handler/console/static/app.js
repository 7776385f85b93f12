// The console: sign-in, navigation, theme, and the page of the address's hash.
//
// static/            index.html, app.css, this file
// static/lib/        what pages share: html, api, session, router, ui, forms, table, dialog, toast, plot, sse, format
// static/pages/      one module a page; its default export is a component with {path, query, info}
// static/vendor/     Preact, htm and uPlot, put there by scripts/vendor.py
//
// To add a page: a module in pages/ and a row of PAGES. A module is loaded when its page is first opened.
import { api } from "./lib/api.js";
import { html, render, useEffect, useRef, useState } from "./lib/html.js";
import { href, route } from "./lib/router.js";
import { beginSession, endSession, session, signOut } from "./lib/session.js";
import { setTheme, theme } from "./lib/theme.js";
import { Dialog } from "./lib/dialog.js";
import { TextField } from "./lib/forms.js";
import { Toasts } from "./lib/toast.js";
import { Button, Failure, Icon, Loading, Notice, Page } from "./lib/ui.js";

const PAGES = [
  { name: "overview", label: "Overview", load: () => import("./pages/overview.js") },
  { name: "rules", label: "Rules", load: () => import("./pages/rules.js") },
  { name: "history", label: "History", load: () => import("./pages/history.js") },
  { name: "requests", label: "Requests", load: () => import("./pages/requests.js") },
  { name: "keys", label: "Keys", load: () => import("./pages/keys.js") },
  { name: "playground", label: "Playground", load: () => import("./pages/playground.js") },
  { name: "connect", label: "Connect", load: () => import("./pages/connect.js") },
];

function App() {
  const { key, info, ended } = session.use();
  const [lost, setLost] = useState(null); // why a key that the tab has could not be tried
  const resume = () => {
    setLost(null);
    api.get("session").then((found) => beginSession(key, found), (error) => {
      if (error.status === 0 || error.status >= 500) setLost(error);
      else endSession(error.message);
    });
  };
  useEffect(() => {
    if (key && !info && !ended) resume();
  }, [key, info, ended]);
  if (!info) {
    if (lost) return html`<main class="alone"><h1>Sluice</h1><${Failure} error=${lost} retry=${resume} /></main>`;
    if (key && !ended) return html`<main class="alone"><h1 class="hidden">Sluice</h1><${Loading}>Signing in…<//></main>`;
    return html`<main class="alone"><${SignIn} reason=${ended} /></main>`;
  }
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${Bar} info=${info} />
    <main id="content" tabindex="-1"><${Current} info=${info} /></main>
    <${Toasts} />
    ${ended && html`<${Dialog} title="Sign in again"><${SignIn} reason=${ended} again /><//>`}
  `;
}

const skip = (event) => {
  event.preventDefault(); // the hash is the page
  document.getElementById("content").focus();
};

/** The form of the key; `again`: the session ended by itself, and the page below is as it was. */
function SignIn({ reason, again }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState(reason ?? null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const given = key.trim();
    if (!given) return setError("Enter a key.");
    setBusy(true);
    try {
      beginSession(given, await api.get("session", {}, { key: given }));
    } catch (failed) {
      setError(failed.message);
      setBusy(false);
    }
    return undefined;
  };
  return html`
    <form class=${again ? "signin" : "signin card"} onSubmit=${submit}>
      ${!again && html`<${Brand} /><h1>Sign in</h1>`}
      ${again && html`<p>What you typed is still here. Sign in to go on.</p>`}
      <input type="text" name="username" autocomplete="username" value=${location.host} hidden readonly />
      <${TextField} label="API key" type="password" name="key" autocomplete="current-password" placeholder="sk-sluice-…"
        value=${key} onInput=${setKey} error=${error} autofocus
        hint="A key with the scope manage, or admin to change things. It stays in this tab and is forgotten when the tab is closed." />
      <div class="actions">
        <${Button} kind="primary" type="submit" busy=${busy}>Sign in<//>
        ${again && html`<${Button} kind="quiet" onClick=${signOut}>Sign out<//>`}
      </div>
    </form>
  `;
}

const Brand = () => html`
  <span class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M9 8v16M23 8v16M9 13h14" /><path class="water" d="M9 20q3.500-3 7 0t7 0" /></svg>Sluice</span>
`;

/** The bar at the side; on a small screen a bar on top, with a button that opens it. */
function Bar({ info }) {
  const { page } = route.use();
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [page]);
  return html`
    <header class=${open ? "bar open" : "bar"} onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}><div class="bar-in">
      <div class="bar-top">
        <${Brand} />
        <button type="button" class="button quiet icon-only menu" aria-expanded=${open ? "true" : "false"} aria-controls="menu"
          aria-label="Menu" onClick=${() => setOpen(!open)}><${Icon} name=${open ? "close" : "menu"} /></button>
      </div>
      <div class="bar-menu" id="menu">
        <nav aria-label="Pages">
          <ul>
            ${PAGES.map(
              ({ name, label }) => html`<li key=${name}><a href=${href(name)} aria-current=${name === page ? "page" : undefined}
                onClick=${() => setOpen(false)}><${Icon} name=${name} />${label}</a></li>`,
            )}
          </ul>
        </nav>
        <div class="bar-end">
          <${ThemeSwitch} />
          <p class="who"><strong>${info.key.name || info.key.id}</strong><span>${info.key.scopes?.join(", ")}</span></p>
          <button type="button" class="button quiet" onClick=${signOut}><${Icon} name="out" />Sign out</button>
          <p class="version">${[info.function_name, info.region, `Sluice ${info.version}`].filter(Boolean).join(" · ")}</p>
        </div>
      </div>
    </div></header>
  `;
}

const THEMES = [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]];
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

function ThemeSwitch() {
  const chosen = theme.use();
  return html`
    <div class="choice themes" role="group" aria-label="Theme">
      ${THEMES.map(
        ([name, label]) => html`<button type="button" key=${name} aria-pressed=${name === chosen ? "true" : "false"} aria-label=${label}
          title=${label} onClick=${() => setTheme(name)}><${Icon} name=${THEME_ICONS[name]} /></button>`,
      )}
    </div>
  `;
}

/** The page of the address. The module of a page is loaded once. */
function Current({ info }) {
  const { page, path, query } = route.use();
  const [loaded, setLoaded] = useState({});
  const row = PAGES.find(({ name }) => name === page);
  const wanted = useRef(page);
  wanted.current = page;
  useEffect(() => {
    if (!row || loaded[page]?.Component) return;
    row.load().then(
      (module) => setLoaded((old) => ({ ...old, [page]: { Component: module.default } })),
      () => setLoaded((old) => ({ ...old, [page]: { failed: true } })),
    );
  }, [page]);
  if (!row) return html`<${Page} title="No such page"><p>The console has no page “${page}”. <a href=${href("overview")}>Go to the overview</a></p><//>`;
  const { Component, failed } = loaded[page] ?? {};
  if (failed) {
    const again = html`<${Button} onClick=${() => location.reload()}>Load the console again<//>`;
    return html`<${Notice} kind="bad" actions=${again}>This page could not be loaded. Check the connection; if there is one, the gateway may have a newer version.<//>`;
  }
  if (!Component) return html`<${Loading} />`;
  return html`<${Component} key=${page} path=${path} query=${query} info=${info} />`;
}

render(html`<${App} />`, document.getElementById("app"));
