// A table of data: columns can be sorted; on a phone each row becomes a block with its labels.
//
// `columns`: [{id, label, value: row => node, sort?: row => comparable, align?: "right", wide?: true}].
import { cx, html, useMemo, useState } from "./html.js";

export function Table({ caption, columns, rows, rowKey = (row, at) => at, empty = "Nothing yet.", sorted, selected }) {
  const [order, setOrder] = useState(sorted ?? null); // {id, down}
  const shown = useMemo(() => {
    const by = order && columns.find((column) => column.id === order.id)?.sort;
    return by ? [...rows].sort((a, b) => compare(by(a), by(b)) * (order.down ? -1 : 1)) : rows;
  }, [rows, order, columns]);
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`
    <div class="table" role="group" aria-label=${caption} tabindex="0">
      <table role="table">
        <caption class="hidden">${caption}</caption>
        <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<${Head} ...${{ column, order, setOrder }} key=${column.id} />`)}</tr></thead>
        <tbody role="rowgroup">
          ${shown.map(
            (row, at) => html`<tr role="row" key=${rowKey(row, at)} class=${selected?.(row) ? "selected" : undefined}>
              ${columns.map(
                (column) => html`<td role="cell" key=${column.id} data-label=${column.label}
                  class=${cx(column.align, column.wide && "wide")}><div class="cell">${column.value(row)}</div></td>`,
              )}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function Head({ column, order, setOrder }) {
  if (!column.sort) return html`<th role="columnheader" scope="col" class=${column.align}>${column.label}</th>`;
  const on = order?.id === column.id;
  const down = on ? !order.down : column.align === "right"; // numbers begin with the highest
  return html`
    <th role="columnheader" scope="col" class=${column.align} aria-sort=${on ? (order.down ? "descending" : "ascending") : "none"}>
      <button type="button" class="sort" onClick=${() => setOrder({ id: column.id, down })}>
        ${column.label}<span class="arrow" aria-hidden="true">${on ? (order.down ? "▾" : "▴") : ""}</span>
      </button>
    </th>
  `;
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === "string" && typeof b === "string" ? a.localeCompare(b) : a < b ? -1 : 1;
}
