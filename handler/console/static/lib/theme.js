// Light, dark, or as the system has it; the choice is kept in localStorage.
import { createStore } from "./store.js";

const NAME = "sluice.theme";
const kept = () => {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
};
export const theme = createStore(["light", "dark"].includes(kept()) ? kept() : "auto");
const system = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => (theme.get() === "auto" ? system.matches : theme.get() === "dark");

function apply() {
  const chosen = theme.get();
  if (chosen === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = chosen;
}

export function setTheme(chosen) {
  try {
    if (chosen === "auto") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, chosen);
  } catch {
    // A browser that stores nothing forgets the choice.
  }
  theme.set(chosen);
}

theme.subscribe(apply);
system.addEventListener("change", () => theme.set(theme.get()));
apply();
