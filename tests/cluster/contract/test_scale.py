"""test_scale, through an engine: thousands at once. Those of one by one take as many calls there and back, and are run
by the plugin that gives every pool an engine.
"""

from tests.contract.test_scale import (
    test_ten_thousand_through_fan_out as test_ten_thousand_through_fan_out,
    threads_before as threads_before,
)
