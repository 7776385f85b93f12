// The page Keys.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function Keys() {
  return html`<${Page} title="Keys"><${Empty}>This page is not built yet.<//><//>`;
}
