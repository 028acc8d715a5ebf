"""The page served: a socket on 127.0.0.1, a first answer while the browser starts, and an end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from logging import ERROR, getLogger
from threading import Thread

from werkzeug.serving import BaseWSGIServer, make_server

from infersim.app.choices import Choices
from infersim.app.panels import PANELS
from infersim.app.server import HOST, answer, make_app
from infersim.domain.errors import InvalidValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The page at its address."""

    address: str
    server: BaseWSGIServer

    def serve(self) -> None:
        """Answer until the program is interrupted."""
        Thread(target=warm_up, daemon=True).start()
        self.server.serve_forever()


@contextmanager
def listening(port: int) -> Iterator[Served]:
    """The page on that port of 127.0.0.1; raises InvalidValueError for one that is taken or not allowed."""
    getLogger("werkzeug").setLevel(ERROR)  # a line for each request is of no use to who looks at the page
    with closing(socket.socket()) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, port))
            place.listen()
        except OSError as error:
            raise InvalidValueError("port", port, f"a free one, or 0 for any ({error.strerror})") from None
        found = place.getsockname()[1]
        server = make_server(HOST, found, make_app().server, threaded=True, fd=place.fileno())
        try:
            yield Served(address=f"http://{HOST}:{found}/", server=server)
        finally:
            server.server_close()


def warm_up() -> None:
    """Compute what the page shows first: libraries are loaded by the time that it is asked for."""
    answer({"controls": Choices().controls(), "panels": list(PANELS)})
