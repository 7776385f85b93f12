// The page Connect.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function Connect() {
  return html`<${Page} title="Connect"><${Empty}>This page is not built yet.<//><//>`;
}
