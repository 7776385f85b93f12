// The page Playground.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function Playground() {
  return html`<${Page} title="Playground"><${Empty}>This page is not built yet.<//><//>`;
}
