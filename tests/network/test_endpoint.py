"""Where a driver may connect to."""

from __future__ import annotations

import pytest

from actors import CapabilityDenied, PrivacyTier
from actors.network.address import is_loopback
from actors.network.endpoint import Endpoint

HERE = [
    "http://127.0.0.1:8000/v1",
    "http://127.9.9.9/v1",
    "http://localhost:11434/v1",
    "http://LOCALHOST/v1",
    "http://localhost./v1",
    "http://models.localhost/v1",
    "http://[::1]:80/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://user:secret@127.0.0.1/v1",
]
ELSEWHERE = [
    "https://api.example.com/v1",
    "http://localhost.example.com/v1",
    "http://127.0.0.1.example.com/v1",
    "http://127.0.0.1@example.com/v1",
    "http://0.0.0.0/v1",
    "http://[::]/v1",
    "http://2130706433/v1",
    "http://0x7f000001/v1",
    "http://10.0.0.1/v1",
    "http://localhost%2eexample.com/v1",
    "http://ⓛocalhost/v1",
]


@pytest.mark.parametrize("url", HERE)
def test_this_machine(url: str) -> None:
    """Loopback is sovereign, however it is written."""
    endpoint = Endpoint.of(url, privacy="sovereign")
    assert endpoint.tier is PrivacyTier.SOVEREIGN


@pytest.mark.parametrize("url", ELSEWHERE)
def test_everything_else(url: str) -> None:
    """What only looks like this machine is not."""
    assert Endpoint.of(url).tier is PrivacyTier.STANDARD
    for privacy in ("sovereign", "private"):
        with pytest.raises(CapabilityDenied, match=f"privacy {privacy} does not allow"):
            Endpoint.of(url, privacy=privacy)


def test_hosts_of_ones_own() -> None:
    """Are private when they are named; names are compared without case and last dot."""
    endpoint = Endpoint.of("https://LLM.corp./v1", privacy="private", private_hosts=["llm.CORP"])
    assert endpoint.tier is PrivacyTier.PRIVATE
    with pytest.raises(CapabilityDenied):
        Endpoint.of("https://llm.corp/v1", privacy="sovereign", private_hosts=["llm.corp"])
    with pytest.raises(CapabilityDenied):
        Endpoint.of("https://x.llm.corp/v1", privacy="private", private_hosts=["llm.corp"])


def test_a_local_socket_is_this_machine() -> None:
    """Whatever host its URL names."""
    assert Endpoint.of("http://anything/v1", privacy="sovereign", socket="/run/llm").tier is PrivacyTier.SOVEREIGN


@pytest.mark.parametrize(
    "url", ["", "localhost:80", "ftp://host/", "http://", "http:///v1", "http://h:port/", "//h/v1"]
)
def test_what_is_no_url(url: str) -> None:
    """Is refused, with the form that it must have."""
    with pytest.raises(ValueError, match="base_url"):
        Endpoint.of(url)


def test_what_may_be_connected_to() -> None:
    """Sovereign: loopback addresses only, whatever the name; private: the named hosts, too; standard: anything."""
    sovereign = Endpoint.of("http://localhost/v1")
    assert sovereign.refuse("localhost", 443, "127.0.0.1") is None
    assert "10.1.1.1" in str(sovereign.refuse("localhost", 443, "10.1.1.1"))
    private = Endpoint.of("http://llm.corp/v1", private_hosts=["llm.corp"])
    assert private.refuse("LLM.corp.", 443, "10.1.1.1") is None
    assert private.refuse("localhost", 443, "::1") is None
    assert private.refuse("other.corp", 443, "10.1.1.1") is not None
    assert Endpoint.of("https://api.example.com").refuse("cdn.example.com", 443, "93.184.216.34") is None


@pytest.mark.parametrize("address", ["", "localhost", "127.0.0.1x", "999.1.1.1"])
def test_what_is_no_address_is_not_here(address: str) -> None:
    """Only IP addresses are judged."""
    assert not is_loopback(address)
