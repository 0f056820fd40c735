// Wheel, mouse and fingers over the chart.
const FINGERS = new Map(); // pointer id -> {x, y}
const CLICK = 4; // pixels that a click may move
let drag = null;

function followPointer() {
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerup", onUp);
  canvas.addEventListener("pointercancel", (event) => {
    FINGERS.delete(event.pointerId);
    drag = null;
  });
  canvas.addEventListener("pointerleave", () => {
    look({ hover: -1, hoverSpan: -1, pointer: null });
    showTooltip();
  });
  canvas.addEventListener("dblclick", (event) => {
    const { agent, span } = thingAt(event.offsetX, event.offsetY);
    if (span >= 0) lookAround(SPANS.begin[span], SPANS.end[span]);
    else if (agent >= 0) lookAround(AGENTS.begin[agent], AGENTS.end[agent]);
  });
  list.addEventListener("click", onLabel);
  list.addEventListener("pointerover", (event) => look({ hover: agentOf(event.target), hoverSpan: -1 }));
  list.addEventListener("pointerleave", () => look({ hover: -1 }));
}

function onWheel(event) {
  event.preventDefault();
  const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  const x = event.deltaX * unit, y = event.deltaY * unit;
  if (event.altKey) scroller.scrollTop += y;
  else if (event.shiftKey || Math.abs(x) > Math.abs(y)) pan((x || y) / scale.wide);
  else zoom(Math.exp(Math.max(-300, Math.min(300, y)) * (event.ctrlKey ? 0.01 : 0.0018)), scale.time(event.offsetX));
}

function onDown(event) {
  if (event.button) return;
  FINGERS.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  canvas.setPointerCapture(event.pointerId);
  canvas.focus({ preventScroll: true });
  const time = scale.time(event.offsetX);
  if (event.shiftKey) look({ measure: { from: time, to: time } });
  drag = { kind: event.shiftKey ? "measure" : "pan", x: event.offsetX, y: event.offsetY, from: view.from, to: view.to, top: scroller.scrollTop, moved: FINGERS.size > 1, pinch: pinchOf() };
}

function pinchOf() {
  if (FINGERS.size < 2) return null;
  const [one, other] = [...FINGERS.values()];
  return { apart: Math.max(Math.abs(one.x - other.x), 20), time: scale.time((one.x + other.x) / 2) };
}

function onMove(event) {
  if (FINGERS.has(event.pointerId)) FINGERS.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  const time = scale.time(event.offsetX);
  if (!drag) {
    const { agent, span } = thingAt(event.offsetX, event.offsetY);
    look({ hover: agent, hoverSpan: span, pointer: { time } });
    return void (event.pointerType === "touch" || showTooltip(event.clientX, event.clientY));
  }
  const dx = event.offsetX - drag.x, dy = event.offsetY - drag.y;
  if (Math.hypot(dx, dy) > CLICK) drag.moved = true;
  if (!drag.moved) return;
  showTooltip();
  if (drag.kind === "measure") look({ measure: { from: view.measure.from, to: time } });
  else if (FINGERS.size > 1) pinch();
  else {
    const by = (dx / scale.wide) * (drag.to - drag.from);
    lookAt(drag.from - by, drag.to - by);
    scroller.scrollTop = drag.top - dy;
    canvas.classList.add("dragged");
  }
}

function pinch() {
  const [one, other] = [...FINGERS.values()];
  const span = (drag.to - drag.from) * (drag.pinch.apart / Math.max(Math.abs(one.x - other.x), 20));
  const share = (one.x + other.x) / 2 / scale.wide;
  lookAt(drag.pinch.time - share * span, drag.pinch.time + (1 - share) * span);
}

function onUp(event) {
  FINGERS.delete(event.pointerId);
  canvas.classList.remove("dragged");
  const was = drag;
  drag = null;
  if (!was) return;
  if (FINGERS.size) { // one finger of two is gone: the other goes on from where it is
    const [rest] = FINGERS.values();
    drag = { ...was, ...rest, kind: "pan", from: view.from, to: view.to, top: scroller.scrollTop, moved: true };
    return;
  }
  if (was.kind === "measure") return void (was.moved || look({ measure: null }));
  if (was.moved) return;
  const { agent, span } = thingAt(event.offsetX, event.offsetY);
  look({ selected: agent, span, measure: null });
  showTooltip();
}

/** The agent and the stretch at a place of the canvas; -1 for none. */
function thingAt(x, y) {
  const sheetY = y + scroller.scrollTop, row = rowAt(sheetY);
  if (row < 0) return { agent: -1, span: -1 };
  const agent = layout.rows[row];
  const deep = sheetY - bandTop(row) - bandOf() - 1;
  const lane = hasLanes(agent) && deep >= 0 ? Math.min(Math.floor(deep / (laneHigh(agent) + 1)), AGENTS.lanes[agent] - 1) : -1;
  const own = spanAt(agent, lane, x), call = hasLanes(agent) ? -1 : spanAt(agent, 0, x);
  return { agent, span: call >= 0 && (own < 0 || SPANS.state[own] === IN_TOOL) ? call : own };
}

function spanAt(agent, lane, x) {
  const from = scale.time(x - 2), to = scale.time(x + 2), at = scale.time(x);
  const [first, last] = spansOf(agent);
  let best = -1, bestLength = -1;
  for (let s = first; s < last; s++) {
    if (SPANS.lane[s] !== lane || SPANS.end[s] < from || SPANS.begin[s] > to) continue;
    const inside = SPANS.begin[s] <= at && SPANS.end[s] >= at;
    const length = SPANS.end[s] - SPANS.begin[s] + (inside ? 1e15 : 0);
    if (length > bestLength) [best, bestLength] = [s, length];
  }
  return best;
}

const agentOf = (element) => PLACES.get(Number(element.closest?.("[data-agent-id]")?.dataset.agentId)) ?? -1;

function onLabel(event) {
  const agent = agentOf(event.target);
  if (agent < 0) return;
  if (event.target.closest("button.twist")) look({ shut: toggled(view.shut, agent) });
  else look({ selected: agent === view.selected ? -1 : agent, span: -1 });
}
