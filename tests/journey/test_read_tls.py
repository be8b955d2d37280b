"""The server speaks TLS where it has a certificate, and says what is wrong when it cannot listen."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from support.reading import PASSWORD, add_user, decided_legs, serving
from support.tls import certificate_in

from cdrd.errors import CdrdError, SettingsError
from cdrd.store.database import Database


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


async def test_with_a_certificate_it_is_https_and_cookies_stay_on_it(
    database: Database, certificate: Path
) -> None:
    await decided_legs(database, 2)
    token = await add_user(database, "bob")
    key = certificate.with_name("key.pem")
    context = ssl.create_default_context(cafile=str(certificate))
    async with serving(database, certificate=certificate, key=key) as served:
        login = {"auth": {"username": "bob", "password": PASSWORD}}
        answer = await served.ask("GET", "/rest/call/read", token=token, ssl=context)
        cookie = await served.ask("POST", "/rest/auth/", json=login, ssl=context)

    assert served.url.startswith("https://127.0.0.1:")
    assert answer.acctids == [1, 2]
    assert answer.headers["Strict-Transport-Security"]
    assert "Secure" in cookie.headers["Set-Cookie"]


async def test_a_certificate_that_does_not_load_is_a_wrong_setting(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    bad = tmp_path / "bad.pem"
    with pytest.raises(SettingsError, match=r"serve\.certificate: .*bad\.pem"):
        async with serving(database, certificate=bad, key=bad):
            pass


async def test_an_address_that_is_taken_is_said_in_one_line(database: Database) -> None:
    async with serving(database) as served:
        port = int(served.url.rpartition(":")[2])
        with pytest.raises(CdrdError, match=f"cannot listen on 127.0.0.1 port {port}") as error:
            async with serving(database, port=port):
                pass

    assert error.value.hint


async def test_a_trusted_proxy_that_is_no_network_is_a_wrong_setting(database: Database) -> None:
    with pytest.raises(SettingsError, match=r"serve\.trusted_proxies"):
        async with serving(database, trusted_proxies=("proxy.example",)):
            pass
