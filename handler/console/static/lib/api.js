// Calls of the console's API and of the gateway's own endpoints, with the key of the session.
//
// `api.get("keys")` calls GET /console/api/keys; `gateway.get("usage", { by: "day" })` calls GET /usage.
// Both return the JSON of the answer and raise ApiError. `useApi` is the same for a component.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { readJson } from "./json.js";
import { endSession, session } from "./session.js";

// Addresses relative to this module (/console/HASH/lib/api.js) work below any prefix of the gateway.
const API = new URL("../../api/", import.meta.url);
const GATEWAY = new URL("../../../", import.meta.url);
const PREFIXES = ["/v3/compat/v1/", "/v3/compat/", "/api/v1/", "/v1/"];

/** The address of the gateway without a prefix and without a slash at the end. */
export const origin = () => {
  const prefix = PREFIXES.find((one) => GATEWAY.pathname.endsWith(one));
  return GATEWAY.href.slice(0, prefix ? -prefix.length : -1);
};

/** An answer that is an error, in the words of the server; `status` is 0 if there was no answer. */
class ApiError extends Error {
  constructor({ message, code, param, metadata }, status) {
    super(message);
    Object.assign(this, { status, code, param, metadata });
  }
}

const lost = () =>
  new ApiError({ message: "The gateway did not answer. Check the connection and try again.", code: "no_answer" }, 0);

/** The headers of a body. CloudFront cannot sign a request to a function URL without the hash of its body. */
async function bodyHeaders(text) {
  const type = { "content-type": "application/json" };
  if (!crypto.subtle) return type; // not a secure context, so no CloudFront either
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return { ...type, "x-amz-content-sha256": Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

/** The response to a request; any status. `key` is that of the session unless given. */
export async function send(method, url, { body, headers, signal, key = session.get().key } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const sent = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(text === undefined ? {} : await bodyHeaders(text)), ...headers };
  try {
    return await fetch(url, { method, headers: sent, signal, cache: "no-store", body: text });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw lost();
  }
}

/** The error of a response that is not a success. A 401 ends the session, with the server's words. */
export async function errorOf(response, used) {
  const text = await response.text().catch(() => "");
  let found = {};
  try {
    found = JSON.parse(text).error ?? {};
  } catch {
    found = {};
  }
  const message = typeof found.message === "string" ? found.message : `The gateway answered ${response.status}.`;
  const error = new ApiError({ ...found, message }, response.status);
  if (response.status === 401 && used && used === session.get().key) endSession(message);
  return error;
}

async function call(base, method, path, { params = {}, ...options } = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const used = options.key ?? session.get().key;
  const response = await send(method, url, options);
  if (!response.ok) throw await errorOf(response, options.key ? null : used);
  if (response.status === 204) return null;
  try {
    return readJson(await response.text());
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw lost();
  }
}

const client = (base) => ({
  url: (path) => new URL(path, base),
  get: (path, params, options) => call(base, "GET", path, { params, ...options }),
  post: (path, body, options) => call(base, "POST", path, { body, ...options }),
  put: (path, body, options) => call(base, "PUT", path, { body, ...options }),
  patch: (path, body, options) => call(base, "PATCH", path, { body, ...options }),
});

export const api = client(API);
export const gateway = client(GATEWAY);

/** A path's segment, such as an id that a person chose. */
export const segment = (text) => encodeURIComponent(text);

export const TYPING = 350; // milliseconds without a key press until the server is asked

/**
 * `{data, error, loading, reload}` of a function that loads: `useApi((signal) => api.get("keys", {}, {signal}), [])`.
 * It loads again when `deps` change; `data` stays until the next arrives. `every`: seconds between two loads.
 * `pause`: milliseconds that `deps` must rest before they are loaded. Nothing is loaded unless `active`.
 */
export function useApi(load, deps = [], { every, pause = 0, active = true } = {}) {
  const [state, setState] = useState({ data: undefined, error: null, loading: active });
  const [turn, setTurn] = useState(0);
  const { key, ended } = session.use();
  const latest = useRef(load);
  const wait = useRef(0); // the first load is at once
  const running = useRef(false);
  latest.current = load;
  useEffect(() => {
    if (!active || !key || ended) return undefined;
    const control = new AbortController();
    const settle = (found) => {
      if (control.signal.aborted) return;
      running.current = false;
      setState((old) => ({ data: old.data, error: null, loading: false, ...found }));
    };
    running.current = true;
    setState((old) => ({ ...old, loading: true }));
    const timer = setTimeout(() => {
      latest.current(control.signal).then((data) => settle({ data }), (error) => settle({ error }));
    }, wait.current);
    wait.current = pause;
    return () => {
      running.current = false;
      clearTimeout(timer);
      control.abort();
    };
  }, [...deps, turn, key, ended, active]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  useEffect(() => {
    if (!every) return undefined;
    const tick = () => document.visibilityState === "visible" && !running.current && reload();
    const timer = setInterval(tick, every * 1000);
    return () => clearInterval(timer);
  }, [every]);
  return { ...state, reload };
}
