// Routes by hash: #/keys/abc?tab=limits is {page: "keys", path: ["abc"], query: {tab: "limits"}}.
//
// `href("keys", ["abc"], {tab})` makes one, `go` moves there. `useGuard(dirty)` asks before unsaved text is lost.
import { useEffect } from "./html.js";
import { createStore } from "./store.js";

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { page: page || "overview", path: rest.filter(Boolean), query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = createStore(read());

export function href(page, path = [], query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(pairs).toString();
  return `#/${[page, ...path].map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export const go = (...where) => {
  location.hash = href(...where);
};

/** Change the address without a new entry in the browser's history, such as for a filter. */
export const replace = (...where) => {
  history.replaceState(null, "", href(...where));
  address = location.hash;
  route.set(read());
};

const guards = new Set();
const LEAVE = "Leave this page? What you changed is not saved.";
let address = location.hash;

addEventListener("hashchange", () => {
  if (location.hash === address) return;
  if (guards.size && read().page !== route.get().page && !confirm(LEAVE)) {
    history.replaceState(null, "", address || "#/");
    return;
  }
  address = location.hash;
  route.set(read());
});
addEventListener("beforeunload", (event) => guards.size && event.preventDefault());

/** Ask before the page is left while `dirty` is true. */
export function useGuard(dirty) {
  useEffect(() => {
    if (!dirty) return undefined;
    const guard = {};
    guards.add(guard);
    return () => guards.delete(guard);
  }, [dirty]);
}
