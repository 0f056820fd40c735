"""Two agents that talk: one thinks of a number, the other finds it by asking.

python examples/two_agents.py [NUMBER from 1 to 100]
"""

import sys

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

HIGHEST = 100


class Thinker(Agent[int]):
    """Knows the number."""

    def run(self, query: str) -> int:
        """Answer each guess, whoever makes it; return how many it took."""
        secret, guesses = int(query), 0
        while True:
            message = self.receive()  # parks: somebody else may run meanwhile, even with max_concurrent=1
            guesses += 1
            if message.content == secret:
                self.send(message.sender, "yes")
                return guesses
            self.send(message.sender, "higher" if message.content < secret else "lower")


class Guesser(Agent[int]):
    """Knows whom to ask."""

    def __init__(self, thinker: int) -> None:
        self.thinker = thinker

    def run(self, query: str) -> int:
        """Halve what is left until the thinker says yes."""
        low, high = 1, int(query)
        while True:
            guess = (low + high) // 2
            self.send(self.thinker, guess)
            answer = self.receive(timeout=5).content
            print(f"{guess:3}? {answer}")
            if answer == "yes":
                return guess
            low, high = (guess + 1, high) if answer == "higher" else (low, guess - 1)


def main() -> None:
    """Introduce them to each other, and wait for both."""
    secret = sys.argv[1] if len(sys.argv) > 1 else "73"
    if not secret.isdecimal() or not 1 <= int(secret) <= HIGHEST:
        print(f"usage: two_agents.py [NUMBER from 1 to {HIGHEST}]", file=sys.stderr)
        sys.exit(2)
    with AgentPool(max_concurrent=1) as pool:
        thinker = pool.spawn(SpawnConfig(AgentManifest(name="thinker"), secret, agent=Thinker))
        guesser = pool.spawn(
            SpawnConfig(AgentManifest(name="guesser"), str(HIGHEST), agent=Guesser, kwargs={"thinker": thinker.id}),
            timeout=5,  # the only slot is free as soon as the thinker waits
        )
        print(f"found {guesser.result()} with {thinker.result()} guesses")


if __name__ == "__main__":
    main()
