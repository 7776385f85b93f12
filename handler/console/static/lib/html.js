// Preact with htm: every module of the console takes its view functions from here.
//
// `html` is a tagged template: html`<p class="note">${text}</p>`. Texts become text nodes, never markup.
import { h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { render };
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";

export const html = htm.bind(h);

/** Join the class names that are not empty. */
export const cx = (...names) => names.filter(Boolean).join(" ");
