"use strict";

const table = document.getElementById("table");
const heads = [...table.tHead.rows[0].cells];
const bodies = [...table.tBodies];
const filters = document.getElementById("filters");
const words = document.getElementById("words");
const direction = document.getElementById("direction");
const significance = document.getElementById("significance");
const left = document.getElementById("left");

// Sorting: a button in each heading. A second press turns the order around; what is not known stays last.
function sortBy(column, ascending) {
  const isNumber = heads[column].dataset.sort === "number";
  const sign = ascending ? 1 : -1;
  const keyed = bodies.map((body) => [body.rows[0].cells[column].dataset.value, body]);
  keyed.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    return sign * (isNumber ? one - other : one.localeCompare(other));
  });
  for (const [, body] of keyed) table.append(body);
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...[...head.childNodes].filter((node) => !node.classList?.contains("unit")));
  head.prepend(button);
  button.addEventListener("click", () => {
    const now = head.getAttribute("aria-sort");
    sortBy(column, now ? now === "descending" : head.dataset.first === "ascending");
  });
});

// Filters.
const searched = bodies.map((body) => {
  const names = body.querySelectorAll(".name bdi, .rule bdi");
  return [...names].map((name) => name.textContent).join(" ").toLowerCase();
});

function holds(body, text) {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const directions = body.dataset.direction.split(" ");
  const found = body.dataset.significance.split(" ").filter(Boolean);
  return wanted.every((word) => text.includes(word)) &&
    (!direction.value || directions.includes(direction.value)) &&
    (!significance.value || (significance.value === "neither" ? !found.length : found.includes(significance.value)));
}

function filter() {
  let shown = 0;
  bodies.forEach((body, place) => {
    body.hidden = !holds(body, searched[place]);
    shown += !body.hidden;
  });
  const all = bodies.length.toLocaleString("en");
  left.textContent = shown === bodies.length ? `All ${all} shown` : `${shown.toLocaleString("en")} of ${all} shown`;
}

filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.hidden = false;
filter();

// A link to a row opens it, whatever is filtered.
function openTarget() {
  const body = bodies.find((one) => `#${one.id}` === location.hash);
  if (!body) return;
  if (body.hidden) {
    filters.reset();
    filter();
  }
  body.querySelector("details").open = true;
  body.scrollIntoView();
}

addEventListener("hashchange", openTarget);
openTarget();

// Copying: where the browser does not allow it, the text is selected, ready for the keyboard.
const bibtex = document.getElementById("bibtex");
if (bibtex) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.className = "source";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(bibtex.textContent);
      said.textContent = " Copied";
    } catch {
      getSelection().selectAllChildren(bibtex);
      said.textContent = " Selected; copy it with the keyboard";
    }
  });
  bibtex.after(button, said);
}
