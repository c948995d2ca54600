"""HTTP as uvicorn speaks it, with a bound on the head of a request."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 65_536
"""Bytes of request line and headers; what no client of ours comes near."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Cuts a connection off whose request line and headers do not end. Otherwise one client makes
    the server keep as much as it likes, before anybody can look at it."""

    _head: int | None = None
    """Bytes of a head that has begun and not ended; None outside of one."""
    _began = False

    def data_received(self, data: bytes) -> None:
        self._began = False
        super().data_received(data)
        # A piece in which a head began may be the end of a long body: it is not counted.
        if self._head is None or self._began:
            return
        self._head += len(data)
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The headers of the request are too long.")

    def on_message_begin(self) -> None:
        self._head, self._began = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()
