// One row of the chart. What is narrower than a pixel is drawn as one: of several at it that which lasts longest.
const NARROW = 1.5;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
const widths = new Map();

function widthOf(pen, text) {
  const key = `${pen.font}|${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 20_000) widths.clear();
    widths.set(key, (width = pen.measureText(text).width));
  }
  return width;
}

/** Write as much of *text* as there is room for; nothing where it would be a letter or two. */
function writeWithin(pen, text, x, y, room) {
  if (room < 14 || !text) return 0;
  let shown = oneLine(text, 80);
  const width = widthOf(pen, shown);
  if (width > room) {
    let keep = Math.floor((shown.length * room) / width);
    while (keep > 2 && widthOf(pen, `${shown.slice(0, keep)}\u2026`) > room) keep--;
    if (keep < 3) return 0;
    shown = `${shown.slice(0, keep)}\u2026`;
  }
  pen.fillText(shown, x, y);
  return Math.min(width, room);
}

/** Where a chart's pixels are: `x(time)`, and what it is `wide`. */
class Scale {
  constructor(from, to, wide) {
    this.from = from;
    this.to = to;
    this.wide = wide;
    this.per = wide / (to - from);
  }
  x(time) {
    return (time - this.from) * this.per;
  }
  time(x) {
    return this.from + x / this.per;
  }
}

/** Fill the stretches of one track, and give those that are wide enough for a text. */
function fillTrack(pen, scale, agent, lane, y, height, words) {
  const [first, last] = spansOf(agent);
  let pixel = -1, best = -1, longest = -1;
  const flush = () => {
    if (pixel >= 0) fillSlice(pen, best, pixel, y, 1, height);
    pixel = -1;
  };
  for (let s = first; s < last; s++) {
    if (SPANS.lane[s] !== lane || SPANS.end[s] < scale.from || SPANS.begin[s] > scale.to) continue;
    const left = scale.x(SPANS.begin[s]), wide = (SPANS.end[s] - SPANS.begin[s]) * scale.per;
    if (wide >= NARROW) {
      const start = Math.max(left, -20), end = Math.min(left + wide, scale.wide + 20);
      flush();
      fillSlice(pen, s, start, y, end - start, height);
      if (words && end - start > 26) words.push([s, Math.max(start, 0), y, Math.min(end, scale.wide) - Math.max(start, 0), height]);
      continue;
    }
    const here = Math.floor(left);
    if (here !== pixel) {
      flush();
      [pixel, best, longest] = [here, s, wide];
    } else if (wide > longest) [best, longest] = [s, wide];
  }
  flush();
}

// Thousands of thin slices: those of a state are filled together, since each change of the colour costs more than a slice.
const THIN = STATES.map(() => []);

function fillThin(pen) {
  THIN.forEach((boxes, state) => {
    pen.fillStyle = palette.states[state][state === QUEUED ? "line" : "fill"];
    for (let i = 0; i < boxes.length; i += 4) pen.fillRect(boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]);
    boxes.length = 0;
  });
}

/** The state whose colour a slice has. */
const lookOf = (span) => (WAITING[span] ? PARKED : SPANS.state[span]);

function fillSlice(pen, span, x, y, wide, height) {
  const state = lookOf(span);
  if (height <= 3 && layout.thin && pen.globalAlpha === 1 && !view.path && !view.dimmed.size) {
    THIN[state].push(x, y, Math.max(wide > 4 ? wide - 1 : wide, 0.75), height);
    return;
  }
  const faded = view.dimmed.has(state) || (view.path && !isPathSpan(span));
  if (faded) pen.globalAlpha *= 0.15;
  pen.fillStyle = height > 3 ? paintOf(pen, state) : palette.states[state][state === QUEUED ? "line" : "fill"];
  const room = wide > 4 ? wide - 1 : wide; // a line of air between neighbours
  if (room > 8 && height > 8) {
    pen.beginPath();
    pen.roundRect(x, y, room, height, 3);
    pen.fill();
  } else pen.fillRect(x, y, Math.max(room, 0.75), height);
  if (height > 8 && room > 3 && (PATTERNS[STATES[state]] || state === PARKED)) {
    pen.strokeStyle = palette.states[state].line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(x + 0.5, y + 0.5, Math.max(room - 1, 1), height - 1, room > 8 ? 3 : 0);
    pen.stroke();
  }
  if (SPANS.error.has(span)) {
    pen.fillStyle = palette.bad;
    pen.fillRect(x, y + height - Math.min(3, height), Math.max(room, 2), Math.min(3, height));
  }
  if (faded) pen.globalAlpha /= 0.15;
}

function isPathSpan(span) {
  return Boolean(onPath.get(SPANS.agent[span])?.some((piece) => piece.begin < SPANS.end[span] && piece.end > SPANS.begin[span]));
}

/** The texts of a row's slices, over all that is filled: what cannot be read on its pattern stands on a plate. */
function writeSlices(pen, words) {
  for (const [span, x, y, wide, height] of words) {
    const state = lookOf(span);
    if (height < 10 || view.dimmed.has(state)) continue;
    const size = height > 14 ? 11 : height > 10 ? 10 : 8.5;
    pen.font = `${size}px ${FONT}`;
    pen.textBaseline = "middle";
    const failed = SPANS.error.has(span), faded = view.path && !isPathSpan(span);
    if (faded) pen.globalAlpha *= 0.2;
    const title = oneLine(sliceWords(span), 80);
    const text = failed ? `\u2715 ${title}` : title;
    const room = wide - 10;
    if (PATTERNS[STATES[state]] && room > 20) {
      pen.fillStyle = palette.states[state].fill;
      pen.fillRect(x + 3, y + 2, Math.min(room, widthOf(pen, text)) + 4, height - 4);
    }
    pen.fillStyle = palette.states[state].ink;
    const used = writeWithin(pen, text, x + 5, y + height / 2 + 0.5, room);
    const lasts = lasting(SPANS.end[span] - SPANS.begin[span]);
    if (used && !PATTERNS[STATES[state]] && room - used > widthOf(pen, lasts) + 14) {
      pen.globalAlpha *= 0.75;
      pen.fillText(lasts, x + 5 + used + 8, y + height / 2 + 0.5);
      pen.globalAlpha /= 0.75;
    }
    if (faded) pen.globalAlpha /= 0.2;
  }
}

function sliceWords(span) {
  const state = STATES[SPANS.state[span]];
  if (PATTERNS[state]) return `${textAt(SPANS.label[span]) || STATE_WORDS[state]} ${lasting(SPANS.end[span] - SPANS.begin[span])}`;
  return spanTitle(span);
}

/** An end that nothing told of: torn off. */
function tearOff(pen, x, y, height) {
  pen.fillStyle = palette.ground;
  pen.beginPath();
  pen.moveTo(x + 2, y - 1);
  const teeth = Math.max(2, Math.round(height / 5));
  for (let i = 0; i <= teeth; i++) pen.lineTo(x - (i % 2 ? 4 : 0), y - 1 + ((height + 2) * i) / teeth);
  pen.lineTo(x + 2, y + height + 1);
  pen.fill();
}

/** How it ended, at its end: a mark, and for all but the usual end a word and why. */
function markEnd(pen, scale, agent, y, height) {
  const end = endOf(agent), x = scale.x(AGENTS.end[agent]);
  if (x < -4 || x > scale.wide + 4) return;
  pen.globalAlpha = isDim(agent) ? 0.18 : 1;
  drawEnd(pen, scale, agent, end, x, y, height);
  pen.globalAlpha = 1;
}

function drawEnd(pen, scale, agent, end, x, y, height) {
  if (AGENTS.flags[agent] & IS_OPEN) {
    if (height > 5) tearOff(pen, x, y, height);
    if (height > 10) writeEnd(pen, "still open", palette["ink-soft"], x, y, height, scale.wide);
    return;
  }
  if (!END_SIGNS[end] || end === "completed") return;
  pen.fillStyle = palette.ends[end];
  pen.fillRect(x - 1, y - 1, 2.5, height + 2);
  if (height < 11) return;
  const error = textAt(AGENTS.error[agent]);
  writeEnd(pen, `${signOf(end)} ${worded(end)}${error ? `: ${oneLine(error, 60)}` : ""}`, palette.ends[end], x, y, height, scale.wide);
}

function writeEnd(pen, text, colour, x, y, height, wide) {
  pen.font = `600 ${height > 14 ? 11 : 10}px ${FONT}`;
  pen.textBaseline = "middle";
  pen.fillStyle = colour;
  const room = wide - x - 8;
  if (room > 44) return void writeWithin(pen, text, x + 6, y + height / 2 + 0.5, room);
  const word = oneLine(text.split(":")[0], 20), width = widthOf(pen, word);
  pen.fillStyle = palette.ground;
  pen.fillRect(x - width - 12, y + 1, width + 9, height - 2);
  pen.fillStyle = colour;
  pen.fillText(word, x - width - 8, y + height / 2 + 0.5);
}
