// A value that several components share: get, set, and `use` in a component.
import { useEffect, useState } from "./html.js";

export function createStore(value) {
  const listeners = new Set();
  const store = {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** The value in a component, which is drawn again when it changes. */
    use() {
      const [, draw] = useState(0);
      useEffect(() => store.subscribe(() => draw((n) => n + 1)), []);
      return value;
    },
  };
  return store;
}
