// Who is signed in: the key, in sessionStorage only, and what GET session says about it.
//
// `ended` is the reason why a session ended by itself (a 401). The pages stay as they are then, with what was
// typed, and the sign-in covers them.
import { createStore } from "./store.js";

const NAME = "sluice.key";
export const session = createStore({ key: sessionStorage.getItem(NAME), info: null, ended: null });

export function beginSession(key, info) {
  sessionStorage.setItem(NAME, key);
  session.set({ key, info, ended: null });
}

export function endSession(reason) {
  sessionStorage.removeItem(NAME);
  session.set((old) => ({ ...old, ended: reason }));
}

export function signOut() {
  sessionStorage.removeItem(NAME);
  session.set({ key: null, info: null, ended: null });
}

/** Why this key cannot change anything; null if it can. */
export function whyReadOnly(info) {
  if (info?.settings?.SLUICE_CONSOLE === "read") return "This console is set to read only (SLUICE_CONSOLE=read).";
  if (info?.key?.scopes?.includes("admin")) return null;
  return "Changes need a key with the scope admin. Yours has: " + (info?.key?.scopes ?? []).join(", ") + ".";
}
