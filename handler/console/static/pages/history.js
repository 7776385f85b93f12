// The page History.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function History() {
  return html`<${Page} title="History"><${Empty}>This page is not built yet.<//><//>`;
}
