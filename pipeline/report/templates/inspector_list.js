const PAGE = 100;
const COLUMNS = [
  ["utterance", (row) => row.id], ["true", (row) => row.truth], ["called", (row) => row.predicted],
  ["probability", (row) => row.probability, "number"], ["speaker", (row) => row.speaker],
  ["seconds", (row) => row.duration, "number"], ["fold", (row) => row.fold, "number"],
  ["seed", (row) => row.seed, "number"], ["words", (row) => row.words],
];
let page = null, rows = [], columns = COLUMNS, shown = [];
const place = new Map();

function begin(values) {
  page = values;
  rows = values.rows.map(([key, id, truth, predicted, probability, speaker, duration, fold, seed, chunk, words], rank) => ({
    rank, key, id, probability, duration, fold, seed, chunk, words, speaker: speaker ?? "",
    truth: values.classes[truth] ?? "", predicted: values.classes[predicted], wrong: truth !== null && truth !== predicted,
    name: `${key}.${seed}.${fold}`, found: `${id} ${words} ${speaker ?? ""}`.toLowerCase(),
  }));
  rows.filter((row) => row.key).forEach((row) => { place.set(row.name, row); if (!place.has(row.key)) place.set(row.key, row); });
  const many = (name) => new Set(rows.map((row) => row[name])).size > 1;
  columns = COLUMNS.filter(([name]) => name !== "seed" || many("seed"));
  const filters = byId("filters");
  const offer = (name, values) => values.forEach((value) => filters.elements[name].append(el("option", {value}, value)));
  offer("true", values.classes);
  offer("predicted", values.classes);
  offer("speaker", [...new Set(rows.map((row) => row.speaker).filter(Boolean))].sort());
  byId("utterances").tHead.rows[0].replaceChildren(...columns.map(([name, , kind]) => {
    const button = el("button", {type: "button"}, name);
    button.addEventListener("click", () => {
      const down = state().get("sort") === name ? state().get("down") === null : name === "probability";
      location.hash = address({sort: name, down: down ? 1 : "", page: ""});
    });
    return el("th", {scope: "col", class: kind || null, "data-name": name}, button);
  }));
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", () => {
    const wanted = {page: ""};
    for (const name of ["search", "true", "predicted", "speaker"]) wanted[name] = filters.elements[name].value;
    wanted.wrong = filters.elements.wrong.checked ? 1 : "";
    history.replaceState(null, "", address(wanted));
    show();
  });
  filters.addEventListener("reset", (event) => { event.preventDefault(); location.hash = "#"; });
  const turn = (step) => () => { location.hash = address({page: Number(state().get("page") ?? 0) + step || ""}); };
  byId("before").addEventListener("click", turn(-1));
  byId("after").addEventListener("click", turn(1));
  speakers();
  window.addEventListener("hashchange", show);
  show();
}

function show() {
  missing("");
  const wanted = state(), chosen = page.single ? rows[0] : place.get(wanted.get("u") ?? "");
  filter(wanted);
  if (wanted.get("u") && !chosen) missing(`${page.experiment} tested no utterance of that name.`);
  byId("list").hidden = Boolean(chosen);
  byId("utterance").hidden = !chosen;
  document.title = `${page.experiment}: ${chosen ? chosen.id : "utterances"}`;
  if (chosen) view(chosen); else { list(wanted); leave(); }
}

function filter(wanted) {
  const [truth, predicted, speaker] = ["true", "predicted", "speaker"].map((name) => wanted.get(name) ?? "");
  const parts = (wanted.get("search") ?? "").toLowerCase().split(/\s+/).filter(Boolean), wrong = wanted.has("wrong");
  shown = rows.filter((row) => (!truth || row.truth === truth) && (!predicted || row.predicted === predicted)
    && (!speaker || row.speaker === speaker) && (!wrong || row.wrong) && parts.every((part) => row.found.includes(part)));
  const column = columns.find(([name]) => name === wanted.get("sort"));
  if (column) {
    const key = column[1], sign = wanted.has("down") ? -1 : 1, words = new Intl.Collator(undefined, {numeric: true});
    const order = column[2] === "number" ? (a, b) => (key(a) ?? -1) - (key(b) ?? -1) : (a, b) => words.compare(key(a), key(b));
    shown.sort((a, b) => sign * order(a, b) || a.rank - b.rank);
  }
}

function list(wanted) {
  const filters = byId("filters");
  for (const name of ["search", "true", "predicted", "speaker"]) {
    const field = filters.elements[name], value = wanted.get(name) ?? "";
    if (field.value !== value) field.value = value;
  }
  filters.elements.wrong.checked = wanted.has("wrong");
  for (const head of byId("utterances").tHead.rows[0].cells) {
    const sorted = head.dataset.name === wanted.get("sort");
    head.setAttribute("aria-sort", sorted ? (wanted.has("down") ? "descending" : "ascending") : "none");
  }
  const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1), at = Math.min(last, Math.max(0, Number(wanted.get("page")) || 0));
  const part = shown.slice(at * PAGE, (at + 1) * PAGE);
  const mistakes = shown.filter((row) => row.wrong).length;
  const order = wanted.get("sort") ? "" : ", the most confident mistakes first";
  byId("count").textContent = `${shown.length} of ${rows.length} utterances, ${mistakes} called wrongly${order}` + (last ? `; page ${at + 1} of ${last + 1}` : "");
  byId("before").disabled = at === 0;
  byId("after").disabled = at === last;
  byId("utterances").tBodies[0].replaceChildren(...part.map((row) => el("tr", {}, columns.map(([name, key, kind]) => {
    const value = key(row);
    if (name === "utterance") return el("td", {}, row.key ? el("a", {href: address({u: row.name})}, value) : value);
    if (name === "called") return el("td", {class: row.wrong ? "wrong" : null}, row.wrong ? `✗ ${value}` : value);
    if (name === "probability") return el("td", {class: "number"}, percent(value));
    if (name === "seconds") return el("td", {class: "number"}, value === null ? "–" : value.toFixed(2));
    return el("td", {class: name === "words" ? "words" : kind || null}, String(value));
  }))));
}

function speakers() {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row.speaker)) groups.set(row.speaker, {name: row.speaker, n: 0, right: 0, mistakes: new Map()});
    const group = groups.get(row.speaker);
    group.n += 1;
    if (!row.wrong) group.right += 1;
    else { const what = `${row.truth} called ${row.predicted}`; group.mistakes.set(what, (group.mistakes.get(what) ?? 0) + 1); }
  }
  const order = [...groups.values()].sort((a, b) => a.right / a.n - b.right / b.n || b.n - a.n);
  const known = order.filter((group) => group.name);
  if (!known.length) { byId("worst").textContent = "The corpus names no speakers."; return; }
  const [worst] = known;
  byId("worst").replaceChildren("It fails most on ", el("a", {href: address({speaker: worst.name, wrong: 1})}, worst.name),
    `: ${percent(worst.right / worst.n)} of ${worst.n} utterances are right` + (known.length > 1 ? `, of all ${percent(rows.filter((row) => !row.wrong).length / rows.length)}.` : "."));
  byId("speakers").tBodies[0].replaceChildren(...known.map((group) => {
    const [common] = [...group.mistakes].sort((a, b) => b[1] - a[1]);
    return el("tr", {}, el("td", {}, el("a", {href: address({speaker: group.name})}, group.name)), el("td", {class: "number"}, String(group.n)),
      el("td", {class: "number"}, percent(group.right / group.n)), el("td", {}, common ? `${common[0]}, ${common[1]}` : "none"));
  }));
}
