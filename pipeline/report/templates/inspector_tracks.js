/* One utterance over time: words, waveform, log mel, pitch, energy, weights; one axis for all. */
const GUTTER = 10, LABEL = 16, TALL = {words: 44, waveform: 64, mel: 120, pitch: 60, energy: 36, axis: 22};
function tracks(recording, words, weights, width) {
  const duration = recording.duration, scale = (Math.max(width, GUTTER + 150 * duration) - GUTTER - 8) / duration;
  const x = (time) => GUTTER + scale * time, wide = x(duration) + 8;
  const placed = words.filter((word) => word.start !== null);
  let top = 4;
  const parts = [];
  /* The label stands over its track, which `height` pixels from `top` are for. */
  const track = (name, height, draw) => {
    if (name) parts.push(svg("text", {class: "label", x: GUTTER, y: top + 11}, name));
    top += name ? LABEL : 0;
    parts.push(...[draw()].flat(Infinity));
    top += height + 6;
  };
  const over = (kind, from, height) => placed.flatMap((word) => [word.start, word.end].map((at) => svg("line", {class: `edge ${kind}`, x1: x(at), x2: x(at), y1: from, y2: from + height})));
  if (placed.length) {
    const narrow = placed.some((word, index) => index % 2 === 0 && 7 * word.word.length > scale * (word.end - word.start));
    track("words", TALL.words, () => placed.map((word, index) => [
      svg("rect", {class: `word-${index % 2}`, "data-word": word.index, x: x(word.start), y: top, width: Math.max(1, scale * (word.end - word.start)), height: TALL.words},
        svg("title", {}, `${word.word}, ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s` + (word.confidence === null ? "" : `, confidence ${word.confidence.toFixed(2)}`))),
      svg("text", {x: x((word.start + word.end) / 2), y: top + (narrow && index % 2 ? 36 : 18), "text-anchor": "middle"}, word.word)]));
  }
  if (recording.waveform) {
    track(recording.voice ? "waveform; dashed: where the voice begins and ends" : "waveform", TALL.waveform, () => {
      const half = TALL.waveform / 2, step = duration / recording.waveform.length;
      const at = (value) => top + half * (1 - value / 100);
      const up = recording.waveform.map(([, high], index) => `${x(index * step).toFixed(1)},${at(high).toFixed(1)}`);
      const down = recording.waveform.map(([low], index) => `${x(index * step).toFixed(1)},${at(low).toFixed(1)}`).reverse();
      const voice = (recording.voice ?? []).map((time) => svg("line", {class: "voice", x1: x(time), x2: x(time), y1: top, y2: top + TALL.waveform}));
      return [svg("polygon", {class: "wave", points: [...up, ...down].join(" ")}), over("", top, TALL.waveform), voice];
    });
  }
  if (recording.mel) track("log mel, low below", TALL.mel, () => [svg("image", {href: recording.mel.picture, x: x(recording.mel.start), y: top, width: scale * (recording.mel.end - recording.mel.start), height: TALL.mel, preserveAspectRatio: "none"}), over("over", top, TALL.mel)]);
  if (recording.pitch) {
    const heard = recording.pitch.filter((value) => value !== null), low = Math.min(60, ...heard), high = Math.max(200, ...heard);
    track(`pitch, ${low} to ${high} Hz`, TALL.pitch, () => {
      let path = "", pen = "M";
      recording.pitch.forEach((value, index) => {
        if (value === null) { pen = "M"; return; }
        path += `${pen}${x((index + 0.5) * recording.step).toFixed(1)} ${(top + TALL.pitch * (1 - (value - low) / (high - low))).toFixed(1)}`;
        pen = "L";
      });
      return path ? svg("path", {class: "pitch", d: path}) : svg("text", {x: x(0), y: top + 30}, "none found");
    });
  }
  if (recording.energy) {
    track("energy, 60 dB", TALL.energy, () => {
      const high = Math.max(...recording.energy), at = (value) => (top + TALL.energy * Math.min(1, (high - value) / 60)).toFixed(1);
      const line = recording.energy.map((value, index) => `${x(Math.min(duration, (index + 0.5) * recording.step)).toFixed(1)},${at(value)}`);
      return svg("polygon", {class: "energy", points: [`${x(0)},${top + TALL.energy}`, ...line, `${x(duration)},${top + TALL.energy}`].join(" ")});
    });
  }
  for (const weight of weights) { const [height, draw] = weightTrack(weight, words, duration, x, scale); track(weight.label, height, () => draw(top)); }
  const ticks = Array.from({length: Math.floor(duration / 0.5) + 1}, (_, index) => index / 2);
  const floor = top;
  track("", TALL.axis, () => ticks.map((time) => [svg("line", {class: "axis", x1: x(time), x2: x(time), y1: 0, y2: floor}), svg("text", {class: "label", x: x(time), y: floor + 12, "text-anchor": "middle"}, `${time} s`)]));
  const head = svg("line", {class: "playhead", x1: x(0), x2: x(0), y1: 0, y2: floor});
  const said = placed.map((word) => `${word.word} ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s`).join(", ");
  const picture = svg("svg", {role: "img", width: Math.ceil(wide), height: top, viewBox: `0 0 ${Math.ceil(wide)} ${top}`,
    "aria-label": `Over ${duration.toFixed(2)} seconds: ${said ? `words (${said}), ` : ""}waveform, log mel picture, pitch and energy` + (weights.length ? `, weights: ${weights.map((weight) => weight.label).join(", ")}` : "")}, parts, head);
  return {picture, move: (time) => { head.setAttribute("x1", x(time)); head.setAttribute("x2", x(time)); }, time: (at) => Math.min(duration, Math.max(0, (at - GUTTER) / scale)), x};
}
/* Height of a weight's track and what draws it from a top. */
function weightTrack(weight, words, duration, x, scale) {
  if (weight.curve) {
    const {first_center, shift, values} = weight.curve, high = Math.max(...values, 1e-9), height = 44;
    return [height, (top) => {
      const line = values.map((value, index) => `${x(Math.min(duration, Math.max(0, first_center + index * shift))).toFixed(1)},${(top + height * (1 - value / high)).toFixed(1)}`);
      return svg("polygon", {class: "weight", points: [`${line[0].split(",")[0]},${top + height}`, ...line, `${line.at(-1).split(",")[0]},${top + height}`].join(" ")});
    }];
  }
  if (weight.spans) return [13 * weight.spans.length, (top) => weight.spans.map((span, index) => {
    if (!span) return [];
    const end = Math.min(duration, span.end), right = x(end) + 8 * weight.units[index].length > x(duration);
    return [svg("rect", {class: "weight", x: x(span.start), width: Math.max(2, scale * (end - span.start)), y: top + 13 * index + 2, height: 9}),
      svg("text", {x: right ? x(span.start) - 4 : x(end) + 4, y: top + 13 * index + 11, "text-anchor": right ? "end" : "start"}, weight.units[index])];
  })];
  const high = Math.max(...weight.values, 1e-9), height = 44;
  return [height, (top) => words.map((word, index) => word.start === null || weight.values[index] === undefined ? [] : [
    svg("rect", {class: "weight", x: x(word.start) + 1, width: Math.max(1, scale * (word.end - word.start) - 2), y: top + height * (1 - weight.values[index] / high), height: Math.max(0.5, height * weight.values[index] / high)}),
    scale * (word.end - word.start) < 28 ? [] : svg("text", {x: x((word.start + word.end) / 2), y: top + height - 4, "text-anchor": "middle"}, weight.values[index].toFixed(2))])];
}
