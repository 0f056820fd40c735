/* Words for what is shown: states, times, sums. What an agent or a model has named is text that nobody has checked. */

const STATES = [
  ["queued", "waits for a slot"],
  ["running", "its own Python works"],
  ["in_driver", "the model works for it"],
  ["in_tool", "a tool works for it"],
  ["parked", "waits for somebody, without a slot"],
  ["in_backoff", "waits before it asks the model again"],
  ["restarting", "crashed, and waits to start again"],
].map(([state, means]) => ({ state, letter: STATE_LETTERS[state], word: STATE_WORDS[state], means }));

const STATE = new Map(STATES.map((one) => [one.state, one]));
const stateOf = (state) => STATE.get(state) || { state, letter: "?", word: visible(state, 20), means: "" };

/* What would hide, move or reverse other text is spelled out, as the library's messages do it. */
const HIDDEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]"
  + "|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]", "g");
const spelled = (sign) => {
  const code = sign.codePointAt(0);
  return { 9: "\\t", 10: "\\n", 13: "\\r" }[code]
    || (code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0"));
};

/** `text` on one line of at most `most` signs. */
function visible(text, most = 100) {
  const whole = typeof text === "string" ? text : text === null || text === undefined ? "" : String(text);
  const kept = (whole.length > most ? whole.slice(0, most - 1) : whole).replace(HIDDEN, spelled);
  return whole.length > most || kept.length > most * 2 ? kept.slice(0, most * 2) + "…" : kept;
}

/** `text` with its lines, of at most `most` signs. */
function block(text, most = 20000) {
  return String(text === null || text === undefined ? "" : text).split(/\r?\n/).slice(0, 2000)
    .map((line) => visible(line.replace(/\t/g, "    "), 2000)).join("\n").slice(0, most);
}

const nameOf = (agent) => visible(agent.name, 60) || "agent";
const labelOf = (agent) => `${nameOf(agent)} ${agent.id}`;

/** Seconds as people say them: whole ones, so that a table does not flicker. */
function span(seconds) {
  const all = Math.max(0, seconds);
  if (!Number.isFinite(all)) return "–";
  if (all < 1) return "<1 s";
  if (all < 60) return `${Math.floor(all)} s`;
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  if (all < 3600) return `${Math.floor(all / 60)} min ${two(all % 60)} s`;
  if (all < 86400) return `${Math.floor(all / 3600)} h ${two((all % 3600) / 60)} min`;
  return `${Math.floor(all / 86400)} d ${two((all % 86400) / 3600)} h`;
}

const counting = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const count = (number) => counting.format(number || 0);
const counted = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

/** Tokens: 950, 12.3k, 4.56M. */
function brief(number) {
  const all = number || 0;
  if (all < 10000) return count(all);
  if (all < 999950) return `${(all / 1000).toFixed(all < 99950 ? 1 : 0)}k`;
  return `${(all / 1000000).toFixed(all < 99950000 ? 2 : 0)}M`;
}

/** Dollars with as many digits as tell something. */
function money(dollars) {
  const all = dollars || 0;
  if (all === 0) return "$0";
  if (all < 0.00005) return "<$0.0001";
  return `$${all < 0.1 ? all.toFixed(4) : all < 1000 ? all.toFixed(2) : count(all)}`;
}
