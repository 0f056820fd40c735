/* What states and ends are called: on both pages, and in `actors top`. */
const CALLED = [
  ["queued", "Q", "queued"],
  ["running", "C", "own code"],
  ["in_driver", "M", "model"],
  ["in_tool", "T", "tool"],
  ["parked", "P", "parked"],
  ["in_backoff", "B", "backoff"],
  ["restarting", "R", "restarting"],
];
const STATE_LETTERS = Object.fromEntries(CALLED.map(([state, letter]) => [state, letter]));
const STATE_WORDS = Object.fromEntries(CALLED.map(([state, , word]) => [state, word]));

const ENDS = ["completed", "failed", "crashed", "timed_out", "cancelled", "abandoned", "lost"];
const BAD_ENDS = new Set(["failed", "crashed", "timed_out", "abandoned", "lost"]);
