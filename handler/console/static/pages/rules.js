// The page Rules.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function Rules() {
  return html`<${Page} title="Rules"><${Empty}>This page is not built yet.<//><//>`;
}
