/* Who waits for whom: who holds up how many, and circles, in which nobody can ever go on. */

const MOST_BLOCKERS = 200;

/** From pairs of labels: {circles: [[label]], blockers: [{label, held, chain}]}, those that hold up most first. */
function readWaits(pairs) {
  const targets = new Map();
  const waiters = new Map();
  for (const [one, other] of pairs) {
    if (!targets.has(one)) targets.set(one, []);
    if (!waiters.has(other)) waiters.set(other, []);
    targets.get(one).push(other);
    waiters.get(other).push(one);
  }
  const ends = [...waiters.keys()].filter((label) => !targets.has(label)).slice(0, MOST_BLOCKERS);
  const blockers = ends.map((label) => ({ label, ...heldBy(label, waiters) }));
  return { circles: circlesIn(targets), blockers: blockers.sort((one, other) => other.held - one.held) };
}

/** How many wait for `label`, at first or second hand, and the longest chain of them. */
function heldBy(label, waiters) {
  const next = new Map([[label, null]]);
  const queue = [label];
  let last = label;
  for (let index = 0; index < queue.length; index += 1) {
    last = queue[index];
    for (const waiter of waiters.get(last) || []) {
      if (next.has(waiter)) continue;
      next.set(waiter, last);
      queue.push(waiter);
    }
  }
  const chain = [];
  for (let at = last; at !== null; at = next.get(at)) chain.push(at);
  return { held: next.size - 1, chain };
}

/** Each circle once, as the labels along it. */
function circlesIn(targets) {
  const circles = [];
  const state = new Map(); // 1: on the path, 2: done
  for (const start of targets.keys()) {
    if (state.has(start)) continue;
    const path = [[start, 0]];
    state.set(start, 1);
    while (path.length) {
      const top = path[path.length - 1];
      const target = (targets.get(top[0]) || [])[top[1]];
      top[1] += 1;
      if (target === undefined) {
        state.set(top[0], 2);
        path.pop();
      } else if (state.get(target) === 1) {
        const labels = path.map((step) => step[0]);
        circles.push(labels.slice(labels.indexOf(target)));
      } else if (!state.has(target)) {
        state.set(target, 1);
        path.push([target, 0]);
      }
    }
  }
  return circles;
}

/** The agent that a label of the library names; null for an actor. */
function idIn(label) {
  const found = /^agent (\d+) \(/.exec(label);
  return found ? Number(found[1]) : null;
}
