/* What holds the pool up, in a sentence or two: what one would ask first. */

/** [{text, bad, id}]: a sentence each; `id` is the agent that it is about. */
function verdictOf(store, waits) {
  const { state } = store;
  const { figures } = state;
  const agents = [...store.agents.values()];
  const said = [];
  if (state.approvals.length) {
    const longest = Math.max(...state.approvals.map((one) => one.seconds));
    said.push({ text: `${counted(state.approvals.length, "tool call")} ${state.approvals.length === 1 ? "waits" : "wait"} `
      + `for an approval, the longest since ${span(longest)}.`, warn: true });
  }
  for (const circle of waits.circles) {
    said.push({ text: `${counted(circle.length, "agent")} wait for each other, in a circle.`, bad: true, id: idIn(circle[0]) });
  }
  said.push(...slotsSentence(agents, state), ...shareSentence(agents, state.states), ...blockerSentence(store, waits), ...inboxSentence(agents));
  if (state.abandoned.length) {
    said.push({ text: `${counted(figures.abandoned_threads || state.abandoned.length, "thread")} did not end in time and still `
      + `${state.abandoned.length === 1 ? "runs" : "run"}.`, bad: true });
  }
  return said.slice(0, 5);
}

function slotsSentence(agents, state) {
  const { figures, pool } = state;
  const used = usedSlots(state);
  if (!figures.active && !figures.queued) {
    const ended = Object.values(figures.ended).reduce((sum, one) => sum + one, 0);
    return [{ text: ended ? `Nothing runs: ${counted(ended, "agent")} ${ended === 1 ? "has" : "have"} ended.` : "No agent has started yet." }];
  }
  const waiting = agents.filter((agent) => agent.state === "queued");
  const longest = waiting.length ? `, the longest since ${span(Math.max(...waiting.map((one) => one.seconds)))}` : "";
  if (figures.queued && used >= pool.slots) {
    return [{ text: `All ${counted(pool.slots, "slot")} are taken and ${counted(figures.queued, "agent")} `
      + `${figures.queued === 1 ? "queues" : "queue"}${longest}.` }];
  }
  if (figures.queued) return [{ text: `${counted(figures.queued, "agent")} ${figures.queued === 1 ? "queues" : "queue"}${longest}.` }];
  return [{ text: `${count(used)} of ${counted(pool.slots, "slot")} ${used === 1 ? "is" : "are"} taken, nobody queues.` }];
}

/* What most of them do. */
const SHARES = {
  in_driver: "wait for the model", in_tool: "are in a tool", running: "run their own code", parked: "are parked",
  in_backoff: "wait before they ask the model again", restarting: "wait to start again",
};

function shareSentence(agents, states) {
  const begun = Object.entries(states).filter(([state]) => state !== "queued");
  const all = begun.reduce((sum, [, number]) => sum + number, 0);
  const [state, number] = begun.sort((one, other) => other[1] - one[1])[0] || ["", 0];
  if (all < 2 || number * 2 < all || !SHARES[state]) return [];
  const most = mostCommon(agents.filter((agent) => agent.state === state && agent.on).map((agent) => groupedOn(agent.on)));
  const where = !most || most.number * 2 < number ? ""
    : `, ${most.number === number ? "all" : count(most.number)} ${state === "parked" ? "on " : ": "}${most.key}`.replace(" : ", ": ");
  return [{ text: `${number === all ? "All" : `${count(number)} of ${count(all)}`} ${SHARES[state]}${where}.` }];
}

function blockerSentence(store, waits) {
  const [first] = waits.blockers;
  if (!first || first.held < 2) return [];
  const agent = store.find(idIn(first.label));
  const at = agent ? `, itself ${placeOf(agent)}` : "";
  return [{ text: `${agent ? labelOf(agent) : visible(first.label, 60)} holds up ${count(first.held)} others${at}.`, id: idIn(first.label) }];
}

const FULL = 8; // unread messages that are worth a word

/** Those who ask one agent by messages wait for it, though no chain says so. */
function inboxSentence(agents) {
  const fullest = agents.reduce((most, agent) => (agent.inbox > (most ? most.inbox : FULL - 1) ? agent : most), null);
  return fullest ? [{ text: `${labelOf(fullest)} has ${count(fullest.inbox)} unread messages.`, id: fullest.id }] : [];
}

/** What an agent is at, in words: "parked on a reply", "in tool bash". */
function placeOf(agent) {
  const { state, on } = agent;
  const what = on ? visible(on, 60) : "";
  if (state === "parked") return what ? `parked on ${what}` : "parked";
  if (state === "in_tool") return what ? `in tool ${what}` : "in a tool";
  if (state === "in_driver") return what ? `in the model ${what}` : "in the model";
  if (state === "in_backoff") return what ? `in a backoff after ${what}` : "in a backoff";
  return stateOf(state).word + (what ? ` on ${what}` : "");
}

/** Agents that wait for the outcome of different ones are on the same kind of thing. */
const groupedOn = (on) => visible(on, 60).replace(/agent \d+ \(.*\)/, "another agent").replace(/ \(waits [\d.]+ s\)$/, "");

function mostCommon(texts) {
  const numbers = new Map();
  for (const text of texts) numbers.set(text, (numbers.get(text) || 0) + 1);
  let most = null;
  for (const [key, number] of numbers) if (!most || number > most.number) most = { key, number };
  return most;
}
