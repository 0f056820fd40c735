"""What a pool is given, checked at its door."""

from __future__ import annotations

from ..records.outcomes import FailurePolicy, FailureWord


def policy(failure: FailurePolicy | FailureWord) -> FailurePolicy:
    """The failure policy of that word."""
    try:
        return FailurePolicy(failure)
    except ValueError:
        known = " or ".join(repr(str(one)) for one in FailurePolicy)
        raise ValueError(f"failure must be {known}, got {failure!r}") from None


def whole(minimum: int, **values: int | None) -> None:
    """Refuse what is no whole number, or below *minimum*."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if value < minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {value}")


def seconds(**values: float) -> None:
    """Refuse what is no number of seconds, or below 0."""
    numbers(**values)
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")


def numbers(**values: object) -> None:
    """Refuse what is no number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} must be a number of seconds, got {value!r}")


def above_zero(**values: float | None) -> None:
    """Refuse what is no number of seconds, or not above 0. None is taken."""
    for name, value in values.items():
        if value is not None:
            numbers(**{name: value})
            if not value > 0:
                raise ValueError(f"{name} must be above 0 seconds, got {value}")


def sink_or_none(on_event: object) -> None:
    """Refuse what is no function."""
    if on_event is not None:
        sink_only(on_event=on_event)


def sink_only(**values: object) -> None:
    """Refuse what is no function, and None, too."""
    for name, value in values.items():
        if not callable(value):
            raise TypeError(f"{name} must be a function that takes an event, got {value!r}")


def restart_or_none(restart: object) -> None:
    """Refuse what is no ``RestartPolicy``."""
    if restart is None:
        return
    from ..records.spec import RestartPolicy

    if not isinstance(restart, RestartPolicy):
        raise TypeError(f"restart must be a RestartPolicy, got {restart!r}")


def yes_or_no(**values: object) -> None:
    """Refuse what is neither True nor False: 0 and "no" are easily meant otherwise."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")
