// The chart: axis, rows, births, messages, the critical path, the pointer's line.
const canvas = document.getElementById("timeline");
const axis = document.getElementById("axis");
let scale = new Scale(WHOLE.from, WHOLE.to, 1);

/** The pen of a canvas that is as sharp as the screen. */
function penOf(element, wide, high) {
  const ratio = devicePixelRatio || 1;
  if (element.width !== Math.round(wide * ratio) || element.height !== Math.round(high * ratio)) {
    element.width = Math.round(wide * ratio);
    element.height = Math.round(high * ratio);
    palette.paints = [];
  }
  const pen = element.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, high);
  return pen;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 3e7, 6e7,
  1.2e8, 3e8, 6e8, 9e8, 1.8e9, 3.6e9, 7.2e9, 1.08e10, 2.16e10, 4.32e10, 8.64e10];
const stepOf = (wide, span) => STEPS.find((step) => (step / span) * wide >= 80) ?? 86.4e9 * Math.ceil(span / 86.4e9 / 8);

function ticksOf() {
  const step = stepOf(scale.wide, scale.to - scale.from), ticks = [];
  for (let n = Math.max(0, Math.ceil(scale.from / step)); n * step <= scale.to && ticks.length < 200; n++) ticks.push(n * step);
  return [ticks, step];
}

function drawAxis() {
  const pen = penOf(axis, axis.clientWidth, axis.clientHeight), high = axis.clientHeight;
  const [ticks, step] = ticksOf();
  pen.font = `11px ${FONT}`;
  pen.textBaseline = "middle";
  for (const tick of ticks) {
    const x = Math.round(scale.x(tick)) + 0.5;
    pen.strokeStyle = palette["line-strong"];
    pen.beginPath();
    pen.moveTo(x, high - 5);
    pen.lineTo(x, high);
    pen.stroke();
    pen.fillStyle = palette["ink-soft"];
    const text = moment(tick, step);
    if (x + 4 + widthOf(pen, text) < scale.wide) pen.fillText(text, x + 4, high / 2);
  }
  const shown = view.measure ? [view.measure.from, view.measure.to] : view.pointer ? [view.pointer.time] : [];
  for (const time of shown) flag(pen, time, high, step);
}

function flag(pen, time, high, step) {
  const text = moment(Math.max(0, time), Math.max(1, step / 100));
  const width = widthOf(pen, text) + 10;
  const x = Math.min(Math.max(scale.x(time) - width / 2, 0), scale.wide - width);
  pen.fillStyle = palette.ink;
  pen.beginPath();
  pen.roundRect(x, 2, width, high - 4, 3);
  pen.fill();
  pen.fillStyle = palette.ground;
  pen.fillText(text, x + 5, high / 2);
}

function drawChart() {
  const wide = canvas.clientWidth, high = scroller.clientHeight;
  if (!wide || !high) return;
  scale = new Scale(view.from, view.to, wide);
  const pen = penOf(canvas, wide, high);
  drawGrid(pen, high);
  pen.save();
  pen.translate(0, -scroller.scrollTop);
  const [first, last] = rowsInSight();
  if (!layout.thin) drawBirths(pen, first, last);
  for (let row = first; row <= last; row++) drawRow(pen, row);
  fillThin(pen);
  for (let row = first; row <= last; row++) markEnd(pen, scale, layout.rows[row], bandTop(row), bandOf());
  drawMessages(pen, first, last);
  if (view.path) drawPath(pen);
  drawChosen(pen);
  pen.restore();
  drawPointer(pen, high);
  drawAxis();
}

function drawGrid(pen, high) {
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const tick of ticksOf()[0]) {
    const x = Math.round(scale.x(tick)) + 0.5;
    pen.moveTo(x, 0);
    pen.lineTo(x, high);
  }
  pen.stroke();
  const end = scale.x(LENGTH);
  if (end < scale.wide) {
    pen.fillStyle = palette.sunken;
    pen.globalAlpha = 0.6;
    pen.fillRect(end, 0, scale.wide - end, high);
    pen.globalAlpha = 1;
  }
}

function drawRow(pen, row) {
  const agent = layout.rows[row], top = bandTop(row), band = bandOf();
  if (agent === view.selected || agent === view.hover) {
    pen.fillStyle = agent === view.selected ? palette["accent-wash"] : palette.raised;
    pen.globalAlpha = agent === view.selected ? 1 : 0.8;
    pen.fillRect(0, layout.tops[row], scale.wide, layout.tops[row + 1] - layout.tops[row]);
  }
  pen.globalAlpha = isDim(agent) ? 0.18 : 1;
  if (AGENTS.end[agent] >= scale.from && AGENTS.begin[agent] <= scale.to) {
    const left = Math.max(scale.x(AGENTS.begin[agent]), -2), right = Math.min(scale.x(AGENTS.end[agent]), scale.wide + 2);
    pen.fillStyle = palette["line-strong"];
    if (view.path) pen.globalAlpha *= 0.3;
    if (!layout.thin) pen.fillRect(left, top + band / 2 - 0.5, Math.max(right - left, 2), 1);
    if (view.path) pen.globalAlpha /= 0.3;
    const words = [];
    fillTrack(pen, scale, agent, -1, top, band, words);
    drawLanes(pen, agent, top, band, words);
    writeSlices(pen, words);
    if (!layout.thin) drawMarks(pen, agent, top, band);
  }
  if (AGENTS.flags[agent] & IS_CUT && !layout.thin) {
    const x = scale.x(AGENTS.begin[agent]);
    if (x > -4 && x < scale.wide) tearOff(pen, x + 2, top, band);
  }
  pen.globalAlpha = 1;
}

function drawLanes(pen, agent, top, band, words) {
  if (!hasLanes(agent)) {
    if (AGENTS.lanes[agent] && !AGENTS.tellsTools[agent]) fillTrack(pen, scale, agent, 0, top, band, words);
    else if (AGENTS.lanes[agent]) markErrors(pen, agent, top + band);
    return;
  }
  const high = laneHigh(agent);
  for (let lane = 0; lane < AGENTS.lanes[agent]; lane++) {
    fillTrack(pen, scale, agent, lane, top + band + 1 + lane * (high + 1), high, words);
  }
}

/** Calls that failed, below the band that tells of them. */
function markErrors(pen, agent, bottom) {
  if (!SPANS.error.size) return;
  const [first, last] = spansOf(agent), high = layout.thin ? Math.min(1, layout.thin / 3) : 3;
  pen.fillStyle = palette.bad;
  for (let s = first; s < last; s++) {
    if (SPANS.lane[s] < 0 || !SPANS.error.has(s) || SPANS.end[s] < scale.from || SPANS.begin[s] > scale.to) continue;
    const left = Math.max(scale.x(SPANS.begin[s]), -4), right = Math.min(scale.x(SPANS.end[s]), scale.wide + 4);
    pen.fillRect(left, bottom - high, Math.max(right - left - 1, 2), high);
  }
}

/** Moments worth a mark: small diamonds on the band's upper edge. */
function drawMarks(pen, agent, top) {
  for (const [, at] of MARKS.get(agent) ?? []) {
    const x = scale.x(at);
    if (x < 0 || x > scale.wide) continue;
    pen.fillStyle = palette.ink;
    pen.strokeStyle = palette.ground;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const [dx, dy] of [[0, -4], [4, 0], [0, 4], [-4, 0]]) pen.lineTo(x + dx, top + 1 + dy);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }
}

/** From each parent down to where its children begin. */
function drawBirths(pen, first, last) {
  pen.lineWidth = 1;
  for (let row = first; row <= last; row++) {
    const agent = layout.rows[row], parent = layout.rowOf.get(PLACES.get(AGENTS.parent[agent]));
    if (parent === undefined || parent >= row) continue;
    const x = Math.round(scale.x(AGENTS.begin[agent])) - 3.5;
    if (x < -4 || x > scale.wide) continue;
    const strong = agent === view.selected || layout.rows[parent] === view.selected;
    pen.strokeStyle = strong ? palette.accent : palette["line-strong"];
    pen.beginPath();
    pen.moveTo(x, Math.max(bandTop(parent) + bandOf(), scroller.scrollTop - 8));
    pen.lineTo(x, bandTop(row) + bandOf() / 2);
    pen.lineTo(x + 3.5, bandTop(row) + bandOf() / 2);
    pen.stroke();
  }
}

const MOST_ARROWS = 3_000;
function drawMessages(pen, first, last) {
  const chosen = [view.selected, view.hover].flatMap((agent) => MESSAGES.of.get(agent) ?? []);
  const drawn = view.arrows ? MESSAGES.all : chosen.map((place) => MESSAGES.all[place]);
  const strong = new Set(chosen);
  let count = 0;
  for (const [place, message] of (view.arrows ? drawn.entries() : drawn.map((message, i) => [chosen[i], message]))) {
    const from = layout.rowOf.get(message.from), to = layout.rowOf.get(message.to);
    if (from === undefined || to === undefined || message.read < 0) continue;
    if (message.read < scale.from || message.sent > scale.to || Math.max(from, to) < first || Math.min(from, to) > last) continue;
    if (++count > MOST_ARROWS) break;
    arrow(pen, scale.x(message.sent), bandTop(from) + bandOf() / 2, scale.x(message.read), bandTop(to) + bandOf() / 2, strong.has(place));
  }
}

function arrow(pen, x, y, toX, toY, strong) {
  pen.strokeStyle = pen.fillStyle = strong ? palette.ink : palette["ink-soft"];
  pen.globalAlpha = strong ? 0.9 : 0.65;
  pen.lineWidth = strong ? 1.5 : 1;
  const bend = Math.max(14, Math.abs(toX - x) * 0.4);
  pen.beginPath();
  pen.moveTo(x, y);
  pen.bezierCurveTo(x + bend, y, toX - bend, toY, toX, toY);
  pen.stroke();
  pen.beginPath();
  pen.arc(x, y, 2, 0, 7);
  pen.fill();
  pen.beginPath();
  pen.moveTo(toX, toY);
  pen.lineTo(toX - 7, toY - 3.5);
  pen.lineTo(toX - 7, toY + 3.5);
  pen.fill();
  pen.globalAlpha = 1;
}

/** The chain of waits: each piece underlined, and from its end a line to the next. */
function drawPath(pen) {
  pen.strokeStyle = pen.fillStyle = palette.ink;
  pen.lineWidth = 2;
  let before = null;
  for (const piece of PATH) {
    const row = layout.rowOf.get(piece.agent);
    if (row === undefined) continue;
    const x = scale.x(piece.begin), wide = Math.max((piece.end - piece.begin) * scale.per, 2), y = bandTop(row);
    if (before && before.y !== y) {
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.moveTo(before.x, before.y + bandOf() + 1);
      pen.lineTo(x, y + (y > before.y ? 0 : bandOf() + 1));
      pen.stroke();
      pen.beginPath();
      pen.arc(x, y + (y > before.y ? 0 : bandOf() + 1), 3, 0, 7);
      pen.fill();
    }
    pen.fillRect(x, y + bandOf(), wide, layout.thin ? 1 : 3);
    before = { x: x + wide, y };
  }
}

function drawChosen(pen) {
  for (const [span, width] of [[view.hoverSpan, 1.5], [view.span, 2.5]]) {
    if (span < 0) continue;
    const box = boxOf(span);
    if (!box) continue;
    pen.strokeStyle = palette.ink;
    pen.lineWidth = width;
    pen.strokeRect(box.x - 0.5, box.y - 0.5, Math.max(box.wide, 2), box.high + 1);
  }
}

/** Where a slice lies on the sheet. */
function boxOf(span) {
  const row = layout.rowOf.get(SPANS.agent[span]);
  if (row === undefined) return null;
  const x = Math.max(scale.x(SPANS.begin[span]), -4), right = Math.min(scale.x(SPANS.end[span]), scale.wide + 4);
  const lane = SPANS.lane[span];
  if (lane < 0 || !hasLanes(SPANS.agent[span])) return { x, y: bandTop(row), wide: right - x, high: bandOf() };
  const { band } = layout.size, high = laneHigh(SPANS.agent[span]);
  return { x, y: bandTop(row) + band + 1 + lane * (high + 1), wide: right - x, high };
}

function drawPointer(pen, high) {
  if (view.measure) {
    const [a, b] = [scale.x(view.measure.from), scale.x(view.measure.to)].sort((one, other) => one - other);
    pen.fillStyle = palette.accent;
    pen.globalAlpha = 0.14;
    pen.fillRect(a, 0, b - a, high);
    pen.globalAlpha = 1;
    pen.fillRect(a - 0.5, 0, 1, high);
    pen.fillRect(b - 0.5, 0, 1, high);
    const text = lasting(Math.abs(view.measure.to - view.measure.from));
    pen.font = `600 12px ${FONT}`;
    const width = widthOf(pen, text) + 12, x = Math.min(Math.max((a + b - width) / 2, 0), scale.wide - width);
    pen.beginPath();
    pen.roundRect(x, 8, width, 20, 4);
    pen.fill();
    pen.fillStyle = palette.ground;
    pen.textBaseline = "middle";
    pen.fillText(text, x + 6, 18.5);
  } else if (view.pointer) {
    pen.fillStyle = palette.ink;
    pen.globalAlpha = 0.35;
    pen.fillRect(Math.round(scale.x(view.pointer.time)), 0, 1, high);
    pen.globalAlpha = 1;
  }
}
