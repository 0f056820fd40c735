// How things are called and numbers are written.
const STATE_HINTS = {
  queued: "It waits until a slot is free",
  running: "Its own Python code runs",
  parked: "It waits for somebody else, and needs no slot: a child, a message, an approval",
  in_driver: "The model works on a completion",
  in_tool: "A tool works",
  in_backoff: "It waits before it asks again: an attempt failed, or a limiter holds it back",
  restarting: "It crashed, and waits until it is started again",
};
const END_SIGNS = {
  completed: "\u2713", failed: "\u2715", crashed: "\u2716", timed_out: "\u25d4", cancelled: "\u2298", abandoned: "\u2691",
  lost: "\u25cc",
};

const worded = (name) => name.replaceAll("_", " ");
const endOf = (agent) => AGENTS.statusText[agent] || "open";
const signOf = (end) => END_SIGNS[end] ?? "\u2026";
const many = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
const whole = (number) => Math.round(number).toLocaleString("en-US");

/** A stretch of time, with three figures. */
function lasting(micros) {
  const size = Math.abs(micros);
  if (size < 1e3) return `${Math.round(micros)} \u00b5s`;
  if (size < 999.5e3) return `${figures(micros / 1e3)} ms`;
  if (size < 59.95e6) return `${figures(micros / 1e6)} s`;
  const seconds = Math.round(micros / 1e6);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function figures(number) {
  const size = Math.abs(number);
  return number.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

/** A moment on the axis, as finely as ticks *step* apart need it. */
function moment(micros, step) {
  if (micros === 0) return "0";
  if (step < 1e3) return micros < 1e3 ? `${Math.round(micros)} \u00b5s` : `${trimmed(micros / 1e3, 3)} ms`;
  if (step < 1e6 && micros < 1e6) return `${Math.round(micros / 1e3)} ms`;
  const minutes = Math.floor(micros / 60e6);
  if (!minutes) return `${trimmed(micros / 1e6, step < 1e6 ? 3 : 0)} s`;
  const seconds = trimmed((micros - minutes * 60e6) / 1e6, step < 1e6 ? 3 : 0).padStart(step < 1e6 ? 1 : 2, "0");
  if (minutes < 60) return `${minutes}:${seconds.padStart(2, "0")}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds.padStart(2, "0")}`;
}

const trimmed = (number, digits) => String(Number(number.toFixed(digits)));

function tokens(number) {
  if (number < 1e3) return String(number);
  return number < 999_500 ? `${figures(number / 1e3)}k` : `${figures(number / 1e6)}M`;
}

function money(dollars) {
  if (!dollars) return "$0";
  return `$${dollars >= 1 ? dollars.toFixed(2) : dollars >= 0.01 ? dollars.toFixed(3) : dollars.toPrecision(2)}`;
}

function percent(share) {
  return share > 0 && share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`;
}

/** The hour of the day at a moment of the timeline, where it is known when it began. */
function clock(micros) {
  if (DATA.began === null) return "";
  return new Date(DATA.began + micros / 1e3).toLocaleTimeString([], { hour12: false });
}

const AWAITED = new Map([["receive", "a message"], ["children", "its children"]]);
/** What a parked agent waits for. */
const awaited = (label) => AWAITED.get(label) ?? label;

/** What stands in a slice, and names it elsewhere. */
function spanTitle(span) {
  const state = STATES[SPANS.state[span]], label = textAt(SPANS.label[span]);
  if (state === "parked") return label && label !== "parked" ? `waits for ${awaited(label)}` : "parked";
  return label || STATE_WORDS[state];
}

/** One line, whatever is in it. */
const oneLine = (text, most = 120) => {
  const line = text.slice(0, most * 2).replace(/\s+/g, " ");
  return line.length > most ? `${line.slice(0, most)}\u2026` : line;
};
