"use strict";

// Everything is in the table: without this script it is neither sorted nor searched.
const table = document.querySelector("#submissions table");
const headers = [...table.tHead.rows[0].cells];
const rows = [...table.tBodies[0].rows];
const alphabet = new Intl.Collator("en", { numeric: true });

function sortBy(header) {
  const descending = header.ariaSort === "ascending";
  for (const other of headers) other.removeAttribute("aria-sort");
  header.ariaSort = descending ? "descending" : "ascending";

  const compare = header.classList.contains("number") ? (a, b) => a - b : alphabet.compare;
  const value = (row) => row.cells[header.cellIndex].textContent.trim();
  rows.sort((a, b) => (descending ? -1 : 1) * compare(value(a), value(b)));
  table.tBodies[0].append(...rows);
}

for (const header of headers) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sortBy(header));
  header.append(button);
}

// Numbers are left out of the search: 17 should find the student of that name.
const texts = new Map(rows.map((row) => {
  const cells = [...row.cells].filter((cell) => !cell.classList.contains("number"));
  return [row, cells.map((cell) => cell.textContent).join(" ").toLowerCase()];
}));
const search = document.querySelector("#search input");

function find() {
  const words = search.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every((word) => texts.get(row).includes(word));
  const shown = rows.filter((row) => !row.hidden).length;
  document.querySelector("#search output").textContent = `${shown} of ${rows.length}`;
}

search.addEventListener("input", find);
document.querySelector("#search").hidden = false;
find(); // a browser may keep what was typed before a reload
