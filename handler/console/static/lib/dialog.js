// A modal dialog over the page. Escape and the close button call `onClose`; the focus returns where it was.
import { Button, Icon } from "./ui.js";
import { cx, html, useEffect, useId, useRef, useState } from "./html.js";

export function Dialog({ title, onClose, footer, wide, children }) {
  const id = useId();
  const element = useRef(null);
  const gone = useRef(false);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => {
      gone.current = true;
      dialog.close(); // the focus returns where it was
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose?.();
  };
  const closed = () => {
    if (gone.current) return;
    if (onClose) onClose();
    else element.current.showModal(); // a browser closes a dialog at the second Escape
  };
  return html`
    <dialog ref=${element} class=${cx("dialog", wide && "wide")} aria-labelledby=${id} onCancel=${cancel} onClose=${closed}>
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
