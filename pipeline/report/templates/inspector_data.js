"use strict";
/* Files beside the page call serflow(name, values): a script may be read from a disk, where nothing may be fetched. */
const loaded = new Map();
function serflow(name, values) {
  loaded.set(name, values);
  if (name === "table") begin(values);
}
function load(path, name) {
  if (loaded.has(name)) return Promise.resolve(loaded.get(name));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", () => loaded.has(name) ? resolve(loaded.get(name)) : reject(new Error(path)));
    script.addEventListener("error", () => reject(new Error(path)));
    script.src = path;
    document.head.append(script);
  });
}
const byId = (id) => document.getElementById(id);
/* An element; text becomes text and nothing else, null is left out. */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const percent = (share) => (100 * share).toFixed(share > 0.9995 || share === 0 ? 0 : 1) + " %";
const seconds = (value) => value === null ? "–" : value.toFixed(2) + " s";
function table(heads, rows, label) {
  const cell = (tag, [text, kind]) => el(tag, {class: kind || null, scope: tag === "th" ? "col" : null}, text);
  return el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": label}, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => cell("th", head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((part) => cell("td", part)))))));
}
function missing(text) {
  byId("missing").textContent = text;
  byId("missing").hidden = text === "";
}
/* What the page shows stands in its address: true, predicted, speaker, search, wrong, sort, down, page, u. */
const state = () => new URLSearchParams(location.hash.slice(1));
function address(changes) {
  const wanted = state();
  for (const [name, value] of Object.entries(changes)) if (value === "" || value === null) wanted.delete(name); else wanted.set(name, value);
  return "#" + wanted;
}
window.addEventListener("error", (event) => {
  if (event.target instanceof HTMLScriptElement && !loaded.has("table"))
    missing("The list of utterances is not beside this page: copy the whole folder of the report.");
}, true);
