"""`infersim app`: the page in the browser, served on this machine only."""

from __future__ import annotations

from typing import Annotated

import typer

PortOption = Annotated[
    int, typer.Option("--port", metavar="NUMBER", help="Port on 127.0.0.1; 0: any that is free.")
]
NoBrowserOption = Annotated[
    bool, typer.Option("--no-browser", help="Print the address, and open no browser.")
]

DEFAULT_PORT = 8050

MOST = 65535


def app_command(*, port: PortOption = DEFAULT_PORT, no_browser: NoBrowserOption = False) -> None:
    """Choose a model, a GPU and pruning on a page in the browser, and see what changes as you drag.

    It answers on 127.0.0.1 only and loads nothing from elsewhere. Ctrl-C ends it.
    """
    import webbrowser
    from importlib.util import find_spec

    from infersim.domain.errors import InfersimError, InvalidValueError

    if find_spec("dash") is None:
        raise InfersimError("the page needs Dash, which is not installed: pip install 'infersim[app]'")
    if not 0 <= port <= MOST:
        raise InvalidValueError("port", port, f"a number from 0 to {MOST}")
    from infersim.app.running import listening

    with listening(port) as served:
        print(f"infersim is at {served.address} (Ctrl-C ends it)", flush=True)
        if not no_browser:
            webbrowser.open(served.address)
        served.serve()
