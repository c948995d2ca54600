"""The post: takes a letter at once and delivers it by the carrier of the settings, trying again.

Nobody who sends a letter waits for a mail server, and how long it takes to answer says nothing
about whether there was anything to send. Letters live in memory: a process that dies loses those
under way, which whoever asked for them asks for again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal, Protocol, TextIO

from checkstand.errors import CheckstandError, ServiceUnavailable

_log = logging.getLogger(__name__)
_MOST_UNDER_WAY = 200
_PAUSES = (1.0, 5.0, 30.0)
"""Seconds between tries."""


@dataclass(frozen=True, slots=True)
class Letter:
    """`to` is one address. The text may hold a secret: it is never logged."""

    to: str
    subject: str
    text: str


class NotDelivered(CheckstandError):
    """The mail server did not take a letter; `lasting` when trying again is of no use."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Carrier(Protocol):
    async def carry(self, letter: Letter) -> None:
        """Delivers, or raises NotDelivered."""


@dataclass(frozen=True, slots=True)
class ConsoleCarrier:
    """Writes letters to the console: for a demo, where nobody else reads it."""

    stream: TextIO | None = None

    async def carry(self, letter: Letter) -> None:
        out = self.stream or sys.stdout
        head = f"--- mail to {letter.to}: {letter.subject}"
        out.write(f"\n{head}\n{letter.text.rstrip()}\n--- end of mail\n")
        out.flush()


@dataclass(frozen=True, slots=True)
class SmtpCarrier:
    """Hands letters to a mail server. `security`: `tls` from the first byte, `starttls` required,
    or `none`; certificates are checked. Times in seconds."""

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = ""
    security: Literal["tls", "starttls", "none"] = "starttls"
    timeout: float = 20.0

    async def carry(self, letter: Letter) -> None:
        import aiosmtplib  # not at start: commands and most processes never send anything

        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2].strip("> "))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                username=self.username or None,
                password=self.password or None,
                use_tls=self.security == "tls",
                start_tls=self.security == "starttls",
                timeout=self.timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = [each.code for each in error.recipients]
            raise NotDelivered("the recipient was refused", lasting=min(refused) >= 500) from None
        except aiosmtplib.SMTPResponseException as error:
            # Only the number: what servers say often repeats the address.
            raise NotDelivered(f"reply {error.code}", lasting=error.code >= 500) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotDelivered(type(error).__name__, lasting=False) from None


class Post:
    """`carrier` is None for a shop that sends no mail."""

    def __init__(
        self, carrier: Carrier | None, pauses: tuple[float, ...] = _PAUSES, *, grace: float = 5.0
    ) -> None:
        self._carrier = carrier
        self._pauses = pauses
        self._grace = grace
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Whether this shop sends mail at all."""
        return self._carrier is not None

    def send(self, letter: Letter) -> None:
        """Takes a letter about what has happened already. When too many wait for the mail server,
        it is dropped, which is logged: what has happened is not undone for it."""

        async def written() -> Letter:
            return letter

        try:
            self.send_later(written)
        except ServiceUnavailable:
            _log.error("a letter was not delivered: too many are waiting")

    def send_later(self, write: Callable[[], Awaitable[Letter | None]]) -> None:
        """Takes a letter that is yet to be written, in the background, if there is one at all;
        ServiceUnavailable when too many are waiting."""
        if self._carrier is None:
            raise RuntimeError("nobody asked whether the post is open")
        if len(self._under_way) >= _MOST_UNDER_WAY:
            raise ServiceUnavailable("Too much mail is waiting; try again.", retry_after=30)
        task = asyncio.create_task(self._deliver(self._carrier, write))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Waits a few seconds for the letters under way, and says how many are lost."""
        if not self._under_way:
            return
        _, lost = await asyncio.wait(set(self._under_way), timeout=self._grace)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        if lost:
            _log.warning("%d letters were not delivered: the server stops", len(lost))

    async def _deliver(
        self, carrier: Carrier, write: Callable[[], Awaitable[Letter | None]]
    ) -> None:
        try:
            letter = await write()
            if letter is not None:
                await self._carry(carrier, letter)
        except Exception as error:
            # By its name only: the letter, and whom it is to, may be in the rest.
            _log.error("a letter was not delivered: %s", type(error).__name__)

    async def _carry(self, carrier: Carrier, letter: Letter) -> None:
        for pause in (*self._pauses, None):
            try:
                await carrier.carry(letter)
            except NotDelivered as failure:
                if pause is None or failure.lasting:
                    _log.error("a letter was not delivered: %s", failure)
                    return
                _log.warning("a letter was not delivered yet: %s", failure)
                await asyncio.sleep(pause)
            else:
                return
