"""Where a webhook may lead: no URL reaches what is not public (server-side request forgery)."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from app.webhooks.addresses import Address, RefusedAddressError, check, is_public, target_of
from app.webhooks.job import Delivering
from app.webhooks.sending import Answer, Sender
from tests.support.api_user import ApiUser, broken_fields
from tests.support.services import free_port
from tests.support.webhooks import ALLOWED, Received, attempts, deliver, hook, receiving, status

PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]
NOT_PUBLIC = [
    "0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
URLS = [
    "http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/",
    "https://127.1/", "https://134744072/", "https://127.0.0.1./", "https://169.254.169.254/x",
    "https://[64:ff9b::a00:1]/", "https://[fe80::1%25eth0]/", "https://localhost/",
    "https://user@example.com/", "https://example.com@127.0.0.1/", "https://example.com/#part",
    "https://example.com:80/", "https://example.com:22/", "http://example.com/",
    "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "example.com",
    "https://exa mple.com/", "https://example.com\\@127.0.0.1/", "https://example.com/\r\nX: y",
    "https://example.com:99999/", "https://example.com:0/", "https://exam_ple..com/",
    "https://１２７.0.0.1/", "https://example.com/\u00e9", "https://[::1", "gopher://127.0.0.1/",
]  # fmt: skip


@pytest.mark.proves("HOOK-11")
@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_one(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.proves("HOOK-11")
@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_none_in_any_form(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.proves("HOOK-11")
@pytest.mark.parametrize("url", URLS)
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        check_alone(url)


def check_alone(url: str) -> None:
    """Checks a URL without a resolver that knows more than localhost."""
    target = target_of(url)
    try:
        addresses = [ip_address(target.host)]
    except ValueError:
        addresses = [ip_address("127.0.0.1")] if target.host == "localhost" else []
    check(target, addresses, ())


@pytest.mark.proves("HOOK-11")
@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://Example.COM", "example.com", 443, "/"),
        ("https://example.com./a?b=c", "example.com", 443, "/a?b=c"),
        ("https://bücher.example:8443/x", "xn--bcher-kva.example", 8443, "/x"),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443, "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    target = target_of(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.proves("HOOK-11")
def test_every_address_of_a_name_has_to_be_public() -> None:
    target = target_of("https://example.com/")
    check(target, [ip_address("1.1.1.1"), ip_address("2606:4700:4700::1111")], ())
    for other in NOT_PUBLIC:
        with pytest.raises(RefusedAddressError):
            check(target, [ip_address("1.1.1.1"), ip_address(other)], ())


@pytest.mark.proves("HOOK-12")
def test_the_networks_of_webhook_allow_may_have_any_port_and_http() -> None:
    here, lan = ip_address("127.0.0.1"), (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    check(target_of("http://build:8080/x"), [here], lan)
    check(target_of("http://build:8080/x"), [ip_address("::ffff:127.0.0.1")], lan)
    for addresses in ([here, ip_address("1.1.1.1")], [ip_address("10.0.0.1")]):
        with pytest.raises(RefusedAddressError):
            check(target_of("http://build:8080/x"), addresses, lan)


@pytest.mark.proves("HOOK-11", "HOOK-12")
def test_the_api_refuses_an_address_that_is_not_public(alice: ApiUser) -> None:
    for url in ("https://10.0.0.1/", "https://2130706433/", "https://192.168.1.1:8443/"):
        answer = alice.call("POST", "/api/me/webhooks", json={"url": url})
        assert broken_fields(answer) == ["url"]
    webhook = hook(alice, "https://1.1.1.1/")
    path = f"/api/me/webhooks/{webhook['id']}"
    assert broken_fields(alice.call("PATCH", path, json={"url": "https://[::1]:8443/"})) == ["url"]


class Names:
    """A resolver whose answers change: one list of addresses after the other, the last for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, _timeout: float) -> Sequence[Address]:
        self.asked.append(host)
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(text)]


REFUSED = "the address is not allowed: it is not public, or has another port or scheme"


@pytest.mark.proves("HOOK-11")
@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "::ffff:10.0.0.1"])
def test_a_name_that_leads_to_such_an_address_is_not_contacted(address: str) -> None:
    answer = Sender((), resolve=Names(address)).send("https://rebound.example/", {}, b"{}")
    assert (answer.status, answer.error) == (None, REFUSED)


@pytest.mark.proves("HOOK-11")
def test_a_name_is_resolved_once_so_that_it_cannot_change_before_the_connection() -> None:
    """The first answer is allowed, and what is connected to; the second would be refused."""
    names = Names("127.0.0.1", "169.254.169.254")
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].removesuffix("/hook")
        answer = Sender(ALLOWED, resolve=names).send(f"http://rebound.example:{port}/", {}, b"{}")
        assert (answer.status, answer.error) == (204, None)
        assert receiver.requests[0].headers["host"] == f"rebound.example:{port}"
    assert names.asked == ["rebound.example"]


@pytest.mark.proves("HOOK-11")
def test_a_redirect_is_a_failure_and_is_not_followed(alice: ApiUser, job: Delivering) -> None:
    with receiving() as inner:

        def redirect(_request: Received) -> tuple[int, dict[str, str]]:
            return 302, {"Location": inner.url}

        with receiving(redirect) as outer:
            webhook = hook(alice, outer.url)
            alice.create()
            assert deliver(job) == {"failed": 1}
        assert inner.requests == []
    (attempt,) = attempts(alice, webhook)
    assert attempt["error"] == "the receiver answered 302: redirects are not followed"


@pytest.mark.proves("HOOK-13")
def test_a_name_that_does_not_resolve_is_a_failed_attempt(alice: ApiUser, job: Delivering) -> None:
    webhook = hook(alice, "https://nowhere.invalid/")
    alice.create()
    assert deliver(job) == {"failed": 1}
    (attempt,) = attempts(alice, webhook)
    assert (attempt["status"], attempt["error"]) == (None, "the name does not resolve")


@pytest.mark.proves("HOOK-13")
def test_a_connection_that_is_refused_is_a_failed_attempt() -> None:
    answer = Sender(ALLOWED).send(f"http://127.0.0.1:{free_port()}/", {}, b"{}")
    assert (answer.status, answer.error) == (None, "the connection is refused")


@pytest.mark.proves("HOOK-13")
def test_what_is_not_http_is_a_failed_attempt() -> None:
    answer = _send_to(lambda connection: connection.sendall(b"220 mail\r\n\r\n"))
    assert (answer.status, answer.error) == (None, "the answer is not HTTP")


@pytest.mark.proves("HOOK-13")
def test_an_answer_that_comes_byte_by_byte_ends_with_the_time_of_the_attempt() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(50):
            connection.sendall(b"X")
            time.sleep(0.1)

    answer = _send_to(drip, timeout=1.0)
    assert (answer.status, answer.error) == (None, "no answer within 15 s")
    assert 900 < answer.milliseconds < 2000


@pytest.mark.proves("HOOK-13")
def test_no_more_than_64_kb_of_an_answer_are_read() -> None:
    """What follows is not waited for, although the head has not ended."""

    def go_on(connection: socket.socket) -> None:
        lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(80))
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + lines)
        connection.recv(1)  # until the sender goes

    answer = _send_to(go_on, timeout=10.0)
    assert (answer.status, answer.error) == (200, None)


def _send_to(answer: Callable[[socket.socket], None], timeout: float = 15.0) -> Answer:
    """What comes of an event for a server that answers a connection so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    answer(connection)
                except OSError:
                    return  # the sender has gone

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        return Sender(ALLOWED, timeout=timeout).send(url, {}, b"{}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate, with its key, for receiver.example."""
    made = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=receiver.example",
         "-addext", "subjectAltName=DNS:receiver.example", "-keyout", made, "-out", f"{made}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text(made.read_text() + Path(f"{made}.crt").read_text())
    return made


@pytest.mark.proves("HOOK-11", "HOOK-13")
def test_by_https_the_name_is_what_the_certificate_is_for_and_what_the_receiver_is_told(
    certificate: Path,
) -> None:
    names: list[str | None] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=f"{certificate}.crt")
    with receiving(tls=server) as receiver:
        port = receiver.url.rpartition(":")[2].removesuffix("/hook")
        url = f"https://receiver.example:{port}/"
        here = Names("127.0.0.1")
        answer = Sender(ALLOWED, resolve=here, tls=trusting).send(url, {}, b"{}")
        assert (answer.status, answer.error) == (204, None)
        assert names == ["receiver.example"]
        assert receiver.requests[0].headers["host"] == f"receiver.example:{port}"
        distrusting = Sender(ALLOWED, resolve=here).send(url, {}, b"{}")
        assert distrusting.error == "the certificate is not accepted"
        other = url.replace("receiver", "other")
        answer = Sender(ALLOWED, resolve=here, tls=trusting).send(other, {}, b"{}")
        assert answer.error == "the certificate is not accepted"
        assert len(receiver.requests) == 1


def test_a_receiver_may_answer_any_2xx() -> None:
    for number in (200, 201, 202, 204, 299):
        with receiving(status(number)) as receiver:
            assert Sender(ALLOWED).send(receiver.url, {}, b"{}").error is None
