"""What the shop knows, and the tools with which agents ask it."""

from dataclasses import dataclass, field

from actors import ToolFailed, tool
from actors.tools import Deps


@dataclass
class Order:
    """One order: who has made it, what was paid (in EUR), and what went back."""

    customer: str
    item: str
    paid: float
    refunded: float = 0.0


@dataclass
class Shop:
    """The orders, by their numbers, and who asks now."""

    customer: str
    orders: dict[str, Order] = field(default_factory=dict)

    def order(self, number: str) -> Order:
        """The order *number*, if it is the customer's own."""
        found = self.orders.get(number)
        if found is None or found.customer != self.customer:  # nobody learns that another one's is there
            raise ToolFailed(f"there is no order {number} of this customer")
        return found


@tool(effect="idempotent")
def find_order(number: str, shop: Deps[Shop]) -> dict[str, object]:
    """Look an order of the customer up.

    Args:
        number: As it stands in the invoice, such as A-1001.
    """
    order = shop.order(number)
    return {"number": number, "item": order.item, "paid_eur": order.paid, "refunded_eur": order.refunded}


@tool
def refund(number: str, amount: float, shop: Deps[Shop]) -> str:
    """Give money back for an order of the customer. A person has to approve it.

    Args:
        number: Of the order.
        amount: In EUR, at most what is left of what was paid.
    """
    order = shop.order(number)
    left = order.paid - order.refunded
    if not 0 < amount <= left:
        raise ToolFailed(f"of order {number} at most {left:.2f} EUR can go back")
    order.refunded += amount
    return f"{amount:.2f} EUR of order {number} went back"
