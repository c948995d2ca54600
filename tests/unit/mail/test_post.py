"""The post: what is under way, the carriers, and that no letter gets into the log."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from checkstand.errors import ServiceUnavailable
from checkstand.mail import post as room
from checkstand.mail.post import ConsoleCarrier, Letter, NotDelivered, Post, SmtpCarrier

LETTER = Letter("ines@example.com", "Your key: é", "https://shop.example/?key=SECRET\n")


async def test_what_a_carrier_stumbles_over_is_named_and_not_told() -> None:
    class Broken:
        async def carry(self, letter: Letter) -> None:
            raise KeyError(letter.to)

    with pytest.raises(NotDelivered) as caught:
        await Post(Broken()).carry(LETTER)
    assert str(caught.value) == "KeyError"
    assert not caught.value.lasting


async def test_a_shop_without_mail() -> None:
    assert not Post(None).open
    with pytest.raises(RuntimeError):
        await Post(None).carry(LETTER)


async def test_faults_are_named_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise KeyError("ines@example.com")

    post = Post(ConsoleCarrier())
    post.soon(broken)
    await post.close()
    assert "KeyError" in caplog.text
    assert "ines@" not in caplog.text


async def test_the_end_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    post = Post(ConsoleCarrier(), grace=0.05)
    post.soon(asyncio.Event().wait)
    await post.close()
    assert "they go out later" in caplog.text


async def test_too_many_are_refused() -> None:
    post = Post(ConsoleCarrier(), grace=0.0)
    for _ in range(room._MOST_UNDER_WAY):
        post.soon(asyncio.Event().wait)
    with pytest.raises(ServiceUnavailable):
        post.soon(asyncio.Event().wait)
    await post.close()


async def test_console() -> None:
    stream = io.StringIO()
    await ConsoleCarrier(stream).carry(LETTER)
    assert "mail to ines@example.com" in stream.getvalue()
    assert "key=SECRET" in stream.getvalue()


# --- SMTP -------------------------------------------------------------------------------------


@asynccontextmanager
async def mail_server(replies: dict[str, str]) -> AsyncIterator[tuple[int, list[str]]]:
    """A mail server that says yes unless `replies` has something else for a verb."""
    heard: list[str] = []

    talks: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.append(task)
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        in_letter = False
        while line := (await reader.readline()).decode():
            heard.append(line.rstrip())
            verb = line[:4].upper().strip()
            if in_letter:
                if line == ".\r\n":
                    in_letter = False
                    writer.write(b"250 taken\r\n")
                continue
            answer = replies.get(verb, "250 fine")
            if verb == "DATA" and verb not in replies:
                in_letter, answer = True, "354 go on"
            if verb == "QUIT":
                answer = "221 bye"
            writer.write(f"{answer}\r\n".encode())
            if verb == "QUIT":
                break

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*talks), 5)


def carrier(port: int, security: str = "none") -> SmtpCarrier:
    return SmtpCarrier("127.0.0.1", port, "Shop <shop@shop.example>", security=security, timeout=5)  # type: ignore[arg-type]


async def test_smtp() -> None:
    async with mail_server({}) as (port, heard):
        await carrier(port).carry(LETTER)
    assert any(line.startswith("MAIL FROM:<shop@shop.example>") for line in heard)
    assert "RCPT TO:<ines@example.com>" in heard
    assert "From: Shop <shop@shop.example>" in heard
    assert "https://shop.example/?key=SECRET" in heard
    assert "Auto-Submitted: auto-generated" in heard


@pytest.mark.parametrize(
    ("replies", "lasting"),
    [
        ({"RCPT": "550 no such user ines@example.com"}, True),
        ({"RCPT": "450 later"}, False),
        ({"MAIL": "554 not from there"}, True),
        ({"DATA": "451 full"}, False),
    ],
)
async def test_smtp_says_no(replies: dict[str, str], lasting: bool) -> None:
    async with mail_server(replies) as (port, _):
        with pytest.raises(NotDelivered) as caught:
            await carrier(port).carry(LETTER)
    assert caught.value.lasting is lasting
    assert "ines" not in str(caught.value)


async def test_no_server_and_no_encryption() -> None:
    with pytest.raises(NotDelivered) as caught:
        await carrier(1).carry(LETTER)
    assert not caught.value.lasting
    async with mail_server({}) as (port, heard):
        with pytest.raises(NotDelivered):
            await carrier(port, "starttls").carry(LETTER)  # it is not offered: nothing is sent
    assert not any("ines" in line for line in heard)


async def test_addresses_cannot_smuggle_headers() -> None:
    async with mail_server({}) as (port, heard):
        with pytest.raises(ValueError):
            await carrier(port).carry(Letter("a@b.example\r\nBcc: c@d.example", "x", "y"))
    assert heard == []
