"""The post: hands letters to the carrier of the settings, in the background.

Nobody who causes a letter waits for a mail server, and how long it takes to answer says nothing
about whether there was anything to send. Letters wait in the database (`mail.store`) until they
are carried; who writes them says what is in them.
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
    """`carrier` is None for a shop that sends no mail; `grace` are seconds."""

    def __init__(self, carrier: Carrier | None, *, grace: float = 5.0) -> None:
        self._carrier = carrier
        self._grace = grace
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Whether this shop sends mail at all."""
        return self._carrier is not None

    async def carry(self, letter: Letter) -> None:
        """Hands it to the carrier; NotDelivered."""
        if self._carrier is None:
            raise RuntimeError("nobody asked whether the post is open")
        try:
            await self._carrier.carry(letter)
        except NotDelivered:
            raise
        except Exception as error:
            # By its name only: the letter, and whom it is to, may be in the rest.
            raise NotDelivered(type(error).__name__, lasting=False) from None

    def soon(self, do: Callable[[], Awaitable[object]]) -> None:
        """Does something about letters in the background; ServiceUnavailable when too much is under
        way."""
        if len(self._under_way) >= _MOST_UNDER_WAY:
            raise ServiceUnavailable("Too much mail is waiting; try again.", retry_after=30)
        task = asyncio.create_task(self._guarded(do))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Waits a few seconds for what is under way; the rest waits in the database."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(set(self._under_way), timeout=self._grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            _log.warning("the server stops while letters are under way: they go out later")

    async def _guarded(self, do: Callable[[], Awaitable[object]]) -> None:
        try:
            await do()
        except Exception as error:
            # By its name only: whom a letter is to may be in the rest.
            _log.error("letters were not delivered: %s", type(error).__name__)
