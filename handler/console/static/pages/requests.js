// The page Requests.
import { html } from "../lib/html.js";
import { Empty, Page } from "../lib/ui.js";

export default function Requests() {
  return html`<${Page} title="Requests"><${Empty}>This page is not built yet.<//><//>`;
}
