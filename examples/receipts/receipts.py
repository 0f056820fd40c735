"""Reads receipts: images in, typed rows out, as CSV.

    python examples/receipts/receipts.py receipts --draw 20                 draw 20 of them into a folder
    python examples/receipts/receipts.py receipts --out rows.csv
    python examples/receipts/receipts.py receipts --driver openai           by a real model (OPENAI_API_KEY)

Without ``--driver`` it reads by rules (``policy.py``), offline. A receipt whose items do not make its total goes back
to the model; what it still says then is an error of that receipt alone.
"""

import argparse
import csv
import datetime
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from drawing import draw
from policy import reader
from pydantic import BaseModel, model_validator

from actors import AgentManifest, AgentOutcome, AgentPool, ImagePart, SpawnConfig, TextPart

HERE = Path(__file__).parent
MODELS = {"openai": "openai:gpt-5-mini", "anthropic": "anthropic:claude-haiku-4-5"}
QUESTION = "Which items does this receipt list, and what do they cost?"
GOODS = ["BREAD", "MILK 1L", "TEA", "OLIVE OIL", "SOAP", "PENCILS", "LIGHT BULB", "APPLES"]
SHOPS = ["CORNER SHOP", "MARKET HALL", "NIGHT KIOSK"]
CENT = 0.005


class Item(BaseModel):
    """One line; the price, in EUR, is that of all pieces together."""

    count: int
    name: str
    price: float


class Receipt(BaseModel):
    """What a receipt says; amounts are in EUR."""

    shop: str
    date: datetime.date
    items: list[Item]
    total: float

    @model_validator(mode="after")
    def _adds_up(self) -> "Receipt":
        total = sum(item.price for item in self.items)
        if abs(total - self.total) > CENT:
            raise ValueError(f"the items make {total:.2f}, and the total says {self.total:.2f}: look again")
        return self


def drawn(chosen: random.Random) -> bytes:
    """A receipt that nobody ever got."""
    lines = [(chosen.randint(1, 5), goods, chosen.randint(50, 2_000)) for goods in chosen.sample(GOODS, 4)]
    day = datetime.date(2026, 1, 1) + datetime.timedelta(days=chosen.randrange(365))
    rows = [f"{count} X {goods:<14}{cents / 100:>8.2f}" for count, goods, cents in lines]
    total = f"TOTAL{sum(cents for *_, cents in lines) / 100:>21.2f}"
    return draw("\n".join([f"   {chosen.choice(SHOPS)}", f"DATE {day}", "", *rows, "-" * 26, total]))


def questions(folder: Path, refused: list[str]) -> Iterator[SpawnConfig[Receipt]]:
    """One for each PNG image of *folder*, in the order of their names; what is none goes into *refused*."""
    manifest = AgentManifest.load(HERE / "receipts.toml")
    for path in sorted(folder.glob("*.png")):
        try:
            image = ImagePart.load(path)
        except ValueError as error:
            refused.append(f"{path.name}: {error}")
        else:
            yield SpawnConfig(manifest, [TextPart(QUESTION), image], output_type=Receipt, tag=path.name)


def read_all(folder: Path, driver: str, refused: list[str]) -> Iterator[AgentOutcome[Receipt]]:
    """The receipts of *folder*, as they are read."""
    with AgentPool(MODELS.get(driver, driver) or reader, max_concurrent=8) as pool:
        yield from pool.map(questions(folder, refused))


def write(folder: Path, driver: str, out: TextIO) -> int:
    """A row for each item; 1 when a receipt could not be read, which is told."""
    table, failed = csv.writer(out), list[str]()
    table.writerow(["file", "shop", "date", "count", "item", "price", "total"])
    for outcome in read_all(folder, driver, failed):
        if not outcome.ok:
            failed.append(f"{outcome.tag}: {outcome.error}")
            continue
        receipt = outcome.unwrap()
        for item in receipt.items:
            row = (receipt.shop, receipt.date, item.count, item.name, f"{item.price:.2f}", f"{receipt.total:.2f}")
            table.writerow([outcome.tag, *row])
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return min(len(failed), 1)


def main(arguments: list[str] | None = None) -> int:
    """Draw receipts, or read them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draw", type=int, metavar="COUNT", help="write so many images there, always the same ones")
    parser.add_argument(
        "--driver", default="", help="openai, anthropic, or a word such as openai:llama3.2@http://127.0.0.1:11434/v1"
    )
    parser.add_argument("--out", type=Path, help="the CSV file; else it is printed")
    asked = parser.parse_args(arguments)
    if asked.draw is not None:
        asked.folder.mkdir(exist_ok=True)
        chosen = random.Random(1)  # noqa: S311 - nothing secret
        for number in range(1, asked.draw + 1):
            (asked.folder / f"receipt-{number:03}.png").write_bytes(drawn(chosen))
        return 0
    if not any(asked.folder.glob("*.png")):
        parser.error(f"there is no PNG image in {asked.folder}; --draw 20 makes some")
    if asked.out is None:
        return write(asked.folder, asked.driver, sys.stdout)
    with asked.out.open("w", newline="", encoding="utf-8") as out:
        return write(asked.folder, asked.driver, out)


if __name__ == "__main__":
    sys.exit(main())
