// A modal dialog over the page. Escape and the close button call `onClose`; the focus returns where it was.
import { Button, Icon } from "./ui.js";
import { cx, html, useEffect, useId, useRef, useState } from "./html.js";

export function Dialog({ title, onClose, footer, wide, children }) {
  const id = useId();
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose?.();
  };
  return html`
    <dialog ref=${element} class=${cx("dialog", wide && "wide")} aria-labelledby=${id} onCancel=${cancel}>
      <header>
        <h2 id=${id}>${title}</h2>
        ${onClose && html`<button type="button" class="button quiet icon-only" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>`}
      </header>
      <div class="dialog-body">${children}</div>
      ${footer && html`<footer>${footer}</footer>`}
    </dialog>
  `;
}

/** Asks before something is done. `action` returns a promise; an error of it is shown in the dialog. */
export function Confirm({ title, children, action, label, kind = "primary", onClose }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async () => {
    setBusy(true);
    try {
      await action();
      onClose();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}
      footer=${html`<${Button} onClick=${onClose}>Cancel<//><${Button} kind=${kind} busy=${busy} onClick=${run}>${label}<//>`}>
      ${children}
      ${error && html`<p class="field-error" role="alert">${error.message}</p>`}
    <//>
  `;
}
