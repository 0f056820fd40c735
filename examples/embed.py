"""A pool inside an ordinary synchronous program: values in, values out, and nothing left running.

python examples/embed.py
"""

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

PRICES = {"apple": "0.40", "pear": "0.65", "fig": "a lot", "melon": "?"}


def total(prices: list[float]) -> float:
    """Any function can be an agent: `pool.submit` runs it in a slot of its own."""
    return round(sum(prices), 2)


class PriceOf(Agent[float]):
    """Looks up a price. Nobody knows that of a melon: it waits for somebody who tells it."""

    def run(self, query: str) -> float:
        """Return the price of the fruit that *query* names."""
        text = PRICES[query]
        if text == "?":
            text = str(self.receive().content)
        return float(text)  # an agent that raises harms nobody but itself


def main() -> None:
    """Ask for every price, and take what comes."""
    manifest = AgentManifest(name="price")
    prices = []
    with AgentPool(max_concurrent=2, max_queued=None) as pool:
        # All of them are admitted or none; each has half a second to live from its first step.
        handles = pool.fan_out([SpawnConfig(manifest, fruit, agent=PriceOf, timeout=0.5) for fruit in PRICES])
        try:
            handles[-1].result(timeout=0)  # how long *we* wait: the agent does not notice
        except TimeoutError:
            print("melon: not yet")

        for outcome in pool.as_completed(handles):  # in order of completion: nobody waits for the slow one
            if outcome.ok:
                prices.append(outcome.unwrap())
                print(f"{outcome.query}: {outcome.unwrap():.2f}")
            else:
                print(f"{outcome.query}: {outcome.status} ({outcome.error})")

        print(f"total: {pool.submit(total, prices).result()}")
    print(f"agents left: {pool.active_count + pool.queued_count}")


if __name__ == "__main__":
    main()
