// Routes by hash: #/keys/abc?tab=limits is {page: "keys", path: ["abc"], query: {tab: "limits"}}.
//
// `href("keys", ["abc"], {tab})` makes one, `go` moves there.
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
  route.set(read());
};

addEventListener("hashchange", () => route.set(read()));
