"use strict";

// Searches and filters the statements, and opens the one that a link leads to. Without this script
// only the form is missing.

const form = document.getElementById("filter");
const count = document.getElementById("count");
const statements = [...document.querySelectorAll("#statements details")];
const texts = new Map(statements.map((each) => [each, each.textContent.toLowerCase()]));

function matches(statement, wanted) {
  const { kind, tables, entryPoints, findings, exempt } = statement.dataset;
  const words = wanted.get("search").toLowerCase().split(/\s+/);
  return (
    words.every((word) => texts.get(statement).includes(word)) &&
    ["", kind].includes(wanted.get("kind")) &&
    ["", ...tables.split("\n")].includes(wanted.get("table")) &&
    ["", ...entryPoints.split("\n")].includes(wanted.get("entry_point")) &&
    (!wanted.has("findings") || findings !== undefined) &&
    (!wanted.has("exempt") || exempt !== undefined)
  );
}

function filter() {
  const wanted = new FormData(form);
  for (const statement of statements) {
    statement.hidden = !matches(statement, wanted);
  }
  const shown = statements.filter((statement) => !statement.hidden).length;
  count.textContent =
    shown === statements.length
      ? `${shown} statements`
      : `${shown} of ${statements.length} statements match`;
}

function openAll(open) {
  for (const statement of statements) {
    statement.open = open;
  }
}

function openLinked() {
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!statements.includes(linked)) {
    return;
  }
  if (linked.hidden) {
    form.reset();
    filter();
  }
  linked.open = true;
  linked.scrollIntoView();
}

form.addEventListener("input", filter); // each letter of the search
form.addEventListener("change", filter); // of a list, for browsers that send no input there
form.addEventListener("reset", () => setTimeout(filter)); // the fields are empty after the event
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("open").addEventListener("click", () => openAll(true));
document.getElementById("close").addEventListener("click", () => openAll(false));
addEventListener("hashchange", openLinked);
form.hidden = false;
filter();
openLinked();
