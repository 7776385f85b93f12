// What the server says of the draft: problems, warnings, tests. It is asked again when the draft rests for a moment.
import { api } from "../lib/api.js";
import { useEffect, useState } from "../lib/html.js";
import { session } from "../lib/session.js";

const PAUSE = 350; // milliseconds

/** Call `load(signal)` when `deps` have been the same for a moment: {data, error, busy}. Old data stays meanwhile. */
export function useSettled(load, deps, active = true) {
  const [state, setState] = useState({ data: null, error: null, busy: false });
  const { key, ended } = session.use();
  useEffect(() => {
    if (!active || !key || ended) return undefined;
    const control = new AbortController();
    setState((old) => ({ ...old, busy: true }));
    const timer = setTimeout(() => {
      load(control.signal).then(
        (data) => control.signal.aborted || setState({ data, error: null, busy: false }),
        (error) => control.signal.aborted || setState((old) => ({ data: old.data, error, busy: false })),
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [...deps, active, key, ended]);
  return state;
}

export const useCheck = (records) =>
  useSettled((signal) => api.post("rules/check", { records }, { signal }), [records], !!records);
