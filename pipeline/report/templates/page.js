"use strict";
{% include "theme.js" %}
document.querySelectorAll("table.results thead th").forEach((head) => {
  head.addEventListener("click", () => {
    const table = head.closest("table"), body = table.tBodies[0], place = head.cellIndex;
    const down = head.dataset.down !== "true";
    table.querySelectorAll("th").forEach((other) => delete other.dataset.down);
    head.dataset.down = down;
    const key = (row) => row.cells[place].textContent;
    const order = (a, b) => key(a).localeCompare(key(b), undefined, {numeric: true}) * (down ? -1 : 1);
    [...body.rows].sort(order).forEach((row) => body.append(row));
  });
});
