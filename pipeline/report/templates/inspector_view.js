let stop = null, current = null, cameFrom = null, toggle = () => {};
function leave() {
  if (stop) stop();
  stop = null;
  current = null;
  byId("utterance").replaceChildren();
  if (cameFrom) [...document.querySelectorAll("#utterances a")].find((link) => link.textContent === cameFrom)?.focus();
  cameFrom = null;
}

async function view(row) {
  if (stop) stop();
  stop = null;
  current = row;
  cameFrom = row.id;
  const at = shown.indexOf(row), root = byId("utterance");
  const way = (target, text) => target?.key ? el("a", {href: address({u: target.name})}, text) : el("span", {}, text);
  const title = el("h2", {tabindex: -1}, row.id);
  root.replaceChildren(
    el("nav", {class: "way", "aria-label": "Utterances"}, page.single ? null : el("a", {href: address({u: ""}), id: "back"}, "← list"),
      page.single ? null : way(shown[at - 1], "previous"), page.single ? null : way(shown[at + 1], "next"),
      page.single || at < 0 ? null : el("small", {class: "grey"}, `${at + 1} of ${shown.length} in this list`)),
    title, said(row));
  if (!page.single) title.focus({preventScroll: true});
  scrollTo(0, 0);
  try {
    const recording = await load(`${page.recordings}/${row.key}.js`, `recording/${row.key}`);
    const chunk = row.chunk === null ? {} : await load(`seen/${row.chunk}.js`, `seen/${row.chunk}`);
    if (current === row) drawAll(root, row, recording, chunk[row.key] ?? null);
  } catch (error) {
    if (current === row) missing(`${error.message} is not beside this page: copy the whole folder of the report.`);
  }
}

function said(row) {
  const verdict = row.truth === "" ? el("b", {}, row.predicted) : el("span", {}, "true ", el("b", {}, row.truth), ", called ", el("b", {class: row.wrong ? "wrong" : "good"}, `${row.wrong ? "✗" : "✓"} ${row.predicted}`));
  const rest = [row.speaker ? `speaker ${row.speaker}` : "", row.duration === null ? "" : seconds(row.duration), page.single ? "" : `test fold ${row.fold}`].filter(Boolean);
  return el("p", {class: "lead"}, verdict, ` with ${percent(row.probability)}` + rest.map((part) => ` · ${part}`).join(""));
}

function drawAll(root, row, recording, seen) {
  const alignments = Object.entries(recording.alignments), own = recording.alignments[page.alignment];
  const [aligned, alignment] = own ? [page.alignment, own] : alignments.find(([, item]) => item.words) ?? [null, null];
  const words = (alignment?.words ?? recording.words.map((word) => [word, null, null, null]))
    .map(([word, start, end, confidence], index) => ({word, start, end, confidence, index}));
  const weights = weightsOf(seen), spoken = recording.transcript ?? "";
  const audio = recording.audio ? el("audio", {controls: "", preload: "metadata", src: `${page.recordings}/${recording.audio}`, "aria-label": `Recording of ${row.id}`}) : null;
  const buttons = words.map((word) => {
    if (!audio || word.start === null) return el("span", {}, word.word + " ");
    const button = el("button", {type: "button", "aria-label": `play ${word.word}, ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s`}, word.word);
    button.addEventListener("click", () => player.play(word.start, word.end));
    return button;
  });
  const room = el("div", {class: "scroll tracks", tabindex: 0, role: "region", "aria-label": "The utterance over time"});
  const player = playing(audio, words, buttons);
  root.append(
    words.length ? el("p", {class: "spoken", lang: recording.language}, buttons) : "",
    words.length && spoken && spoken.split(/\s+/).length !== words.length ? el("p", {class: "note", lang: recording.language}, `“${spoken}”`) : "",
    audio ?? el("p", {class: "note", id: "silent"}, recording.silent),
    recording.waveform ? room : "", ...weighed(weights, seen), ...alignmentSaid(alignments, aligned), ...probabilities(row, recording), ...neighbours(seen), ...numbers(words, weights, seen));
  if (!recording.waveform) return;
  const draw = () => {
    const drawn = tracks(recording, words, weights.filter((weight) => weight.timed), room.clientWidth - 2);
    room.replaceChildren(drawn.picture);
    player.move = drawn.move;
    drawn.picture.addEventListener("click", (event) => {
      const box = drawn.picture.getBoundingClientRect();
      player.seek(drawn.time(event.clientX - box.left));
    });
    player.tick();
  };
  draw();
  const watch = new ResizeObserver(() => { if (Math.abs(room.clientWidth - watch.width) > 4) { watch.width = room.clientWidth; draw(); } });
  watch.width = room.clientWidth;
  watch.observe(room);
  stop = () => { watch.disconnect(); player.end(); };
}

/* The playhead and the word that is heard follow the sound. */
function playing(audio, words, buttons) {
  let until = null, frame = 0;
  const self = {move: () => {}, seek: (time) => { if (audio) { until = null; audio.currentTime = time; } self.move(time); }};
  self.tick = () => {
    const time = audio?.currentTime ?? 0;
    self.move(time);
    words.forEach((word, index) => buttons[index].classList.toggle("now", Boolean(audio) && !audio.paused && word.start !== null && time >= word.start && time < word.end));
    if (until !== null && time >= until) { until = null; audio.pause(); }
    if (audio && !audio.paused) frame = requestAnimationFrame(self.tick);
  };
  self.play = (start, end) => { audio.currentTime = start; until = end; audio.play(); };
  self.end = () => { cancelAnimationFrame(frame); audio?.pause(); };
  self.toggle = () => { if (audio) { until = null; if (audio.paused) audio.play(); else audio.pause(); } };
  for (const name of ["play", "pause", "seeked", "timeupdate"]) audio?.addEventListener(name, () => { cancelAnimationFrame(frame); self.tick(); });
  toggle = self.toggle;
  return self;
}

function weightsOf(seen) {
  return Object.entries(seen?.weights ?? {}).map(([key, axes]) => {
    const label = `${key.split("/")[0].replaceAll("_", " ")} over ${axes.join(" and ")}`;
    const tokens = seen.tokens !== undefined && axes[0] === "words", units = tokens ? seen.tokens : seen.words;
    const given = units.map((unit) => unit.weights[key]), names = units.map((unit) => unit.token ?? unit.word);
    const numeric = given.some((value) => typeof value === "number");
    const result = {key, label, units: names, numbers: numeric ? given : null, values: numeric && !tokens ? given : null, curve: seen.frames?.[key] ?? null,
      spans: !numeric && given.some((value) => value) ? given : null};
    return {...result, timed: Boolean(result.curve || result.spans || (result.values && seen.words.some((word) => word.start !== null)))};
  });
}

function weighed(weights, seen) {
  if (!seen) return page.unseen ? [el("h3", {}, "What the network weighed"), el("p", {class: "note"}, page.unseen)] : [];
  const lines = weights.filter((weight) => weight.numbers).map((weight) => {
    const order = weight.numbers.map((value, index) => [value ?? -1, index]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([value]) => value >= 0);
    const [[most, first], ...rest] = order;
    return el("li", {"data-weight": weight.key}, `${weight.label}: most on `, el("b", {}, weight.units[first]), ` (${most.toFixed(3)})`, rest.length ? ", then " + rest.map(([value, index]) => `${weight.units[index]} (${value.toFixed(3)})`).join(", ") : "");
  });
  return [el("h3", {}, `What ${page.network} weighed`), lines.length ? el("ul", {class: "findings"}, lines) : "",
    el("p", {class: "note"}, seen.filled ? `It had no ${seen.filled} and was fed with zeros. ` : "", seen.reason ?? seen.meaning ?? "")];
}

function alignmentSaid(alignments, aligned) {
  if (!alignments.length) return [];
  return [el("h3", {}, "Word alignment"), el("ul", {class: "findings", id: "alignment"}, alignments.map(([name, item]) => el("li", {}, (alignments.length > 1 && name === aligned ? "drawn: " : "") + `${name}: ${item.said}`)))];
}

function bar(share) {
  return svg("svg", {class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"}, svg("rect", {class: "room", width: 100, height: 10}), svg("rect", {width: 100 * share, height: 10}));
}

function probabilities(row, recording) {
  const heads = [["experiment"], ["called"], ...recording.classes.map((name) => [name])];
  const lines = Object.entries(recording.experiments).map(([name, item]) => [
    [name === page.experiment || page.single ? el("b", {}, name) : el("a", {href: `../${encodeURIComponent(name)}/index.html#u=${row.key}`}, name)],
    [item.truth === null ? item.predicted : (item.predicted === item.truth ? "✓ " : "✗ ") + item.predicted, item.truth !== null && item.predicted !== item.truth ? "wrong" : ""],
    ...recording.classes.map((label) => item.probabilities[label] === undefined ? ["–"] : [el("span", {}, bar(item.probabilities[label]), " ", percent(item.probabilities[label]))])]);
  return [el("h3", {}, lines.length > 1 ? "Every experiment that tested it" : "Probabilities"), table(heads, lines, "Probabilities")];
}

function neighbours(seen) {
  if (!seen?.neighbours?.length) return [];
  const lines = seen.neighbours.map(([key, similarity]) => {
    const other = place.get(key);
    return [[el("a", {href: address({u: other.name})}, other.id)], [other.truth], [other.predicted, other.wrong ? "wrong" : ""], [similarity.toFixed(3), "number"], [other.words, "wide"]];
  });
  return [el("h3", {}, "Nearest in the network's utterance vectors"), el("p", {class: "note"}, "Utterances of the same test fold, by the cosine of the vectors before the classifier."),
    table([["utterance"], ["true"], ["called"], ["cosine", "number"], ["words"]], lines, "Neighbours")];
}

function numbers(words, weights, seen) {
  const listed = weights.filter((weight) => weight.values), lines = words.map((word) => [[word.word], [seconds(word.start), "number"], [seconds(word.end), "number"],
    [word.confidence === null ? "–" : word.confidence.toFixed(2), "number"], ...listed.map((weight) => [weight.values[word.index]?.toFixed(3) ?? "–", "number"])]);
  const found = [];
  if (lines.length) found.push(el("details", {}, el("summary", {}, "Words as numbers"), table([["word"], ["start", "number"], ["end", "number"], ["confidence", "number"], ...listed.map((weight) => [weight.label, "number"])], lines, "Words as numbers")));
  const tokens = weights.filter((weight) => weight.numbers && !weight.values);
  if (tokens.length) found.push(el("details", {}, el("summary", {}, "Tokens as numbers"), table([["token"], ...tokens.map((weight) => [weight.label, "number"])],
    tokens[0].units.map((unit, index) => [[unit], ...tokens.map((weight) => [weight.numbers[index]?.toFixed(3) ?? "–", "number"])]), "Tokens as numbers")));
  return found;
}

document.addEventListener("keydown", (event) => {
  if (!current || page.single || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, audio, .scroll, summary")) return;
  const step = {ArrowLeft: -1, ArrowRight: 1}[event.key], next = shown[shown.indexOf(current) + step];
  if (event.key === "Escape") location.hash = address({u: ""});
  else if (step && next?.key) location.hash = address({u: next.name});
  else if (event.key === " " && !event.target.closest("button, a")) { event.preventDefault(); toggle(); }
});
