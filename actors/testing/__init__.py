"""Test tools for those who extend the library: suites that their own drivers have to pass.

    from actors.testing import DriverConformance

    class TestMyDriver(DriverConformance):
        def driver_that_answers(self, *answers): ...
        def driver_that_hangs(self): ...

pytest collects the tests of the base class; nothing here needs pytest itself.
"""

from .drivers import DriverConformance

__all__ = ["DriverConformance"]
