// Short results at the edge of the page, which screen readers read: `notify("Saved.")`, `notify(error.message, "bad")`.
import { html } from "./html.js";
import { createStore } from "./store.js";

const SHOWN = 7000; // milliseconds; errors stay until they are closed
const toasts = createStore([]);
let last = 0;

export function notify(text, kind = "ok") {
  const id = ++last;
  toasts.set((all) => [...all.slice(-3), { id, text, kind }]);
  if (kind !== "bad") setTimeout(() => close(id), SHOWN);
}

const close = (id) => toasts.set((all) => all.filter((toast) => toast.id !== id));

export function Toasts() {
  return html`
    <div class="toasts" role="status" aria-live="polite">
      ${toasts.use().map(
        ({ id, text, kind }) => html`<div key=${id} class=${`toast ${kind}`}>
          <span>${text}</span>
          <button type="button" class="button quiet small" aria-label=${`Close the message: ${text}`} onClick=${() => close(id)}>Close</button>
        </div>`,
      )}
    </div>
  `;
}
