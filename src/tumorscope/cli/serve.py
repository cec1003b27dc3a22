"""The verb serve."""

import os
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import Debug
from tumorscope.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@app.command()
def serve(
    bundle: Annotated[
        str | None,
        typer.Argument(
            help="A run, its bundle, its zip, or a model's name.",
            show_default="the model that comes with tumorscope",
        ),
    ] = None,
    log: Annotated[
        str,
        typer.Option(help="Where cases, answers and reviews are kept: a folder, or postgresql://…"),
    ] = "tumorscope-log",
    store: Annotated[
        Path | None,
        typer.Option(help="Where uploads are kept.", show_default="images/ in the log's folder"),
    ] = None,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Keep no uploads, only answers.")
    ] = False,
    review: Annotated[
        Path | None,
        typer.Option(
            help="A run whose disputed labels to review one by one: see 'tumorscope review'."
        ),
    ] = None,
    show_training: Annotated[
        bool,
        typer.Option(
            "--training-images",
            help="Show the most similar training slices, from the run's data; use it only if the "
            "data's licence allows it.",
        ),
    ] = False,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but loopback requires the token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8321,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name by which it may be called; repeatable."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TUMORSCOPE_TOKEN",
            help="Secret that every request must show, 16 characters or more.",
            show_default="generated where it is required",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="CPU cores used to answer.", show_default="all"),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Open a page, and an interface for programs, over a model and its log."""
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("serve", "tumorscope serve")
    if log.startswith("postgresql"):
        require_extra("postgresql", "A log in PostgreSQL")
    if store and no_store:
        raise UsageError("--store and --no-store contradict each other: give one of them.")
    if review and no_store:
        raise UsageError("--review needs its images kept: leave out --no-store.")
    if store is None and not no_store and log.startswith("postgresql"):
        raise UsageError("With a log in PostgreSQL give --store FOLDER, or --no-store.")
    import uvicorn  # noqa: PLC0415 (an extra)

    from tumorscope.data.scans.pseudonyms import pseudonym  # noqa: PLC0415
    from tumorscope.inference.bundle import open_bundle  # noqa: PLC0415
    from tumorscope.inference.shipped import DEFAULT  # noqa: PLC0415
    from tumorscope.serve.app import make_app  # noqa: PLC0415 (an extra)
    from tumorscope.serve.reader import Reader  # noqa: PLC0415
    from tumorscope.serve.run_images import read_reviewed, training_images  # noqa: PLC0415
    from tumorscope.support.text import plural  # noqa: PLC0415
    from tumorscope.watching.log import Log  # noqa: PLC0415

    local = host in LOOPBACK
    if not local and token is None:
        token = secrets.token_urlsafe(24)
    if token is not None and len(token) < 16:
        raise UsageError("--token must have 16 characters at least.")
    opened = open_bundle(bundle or DEFAULT)
    listening = _listening(host, port)
    # A secret that cannot be kept concerns whoever starts the server, not who uploads.
    pseudonym("patient", "")
    folder = None if no_store else store or Path(log) / "images"
    reviewed = read_reviewed(review) if review else None
    training = training_images(Path(bundle or DEFAULT)) if show_training else []
    reader = Reader(
        opened, Log(log), folder, workers=workers or os.cpu_count() or 1, training=training
    )
    names = [*LOOPBACK, *(name or ())] if local or name else ["*"]
    application = make_app(reader, hosts=names, token=token, reviewed=reviewed)
    settings = uvicorn.Config(application, log_level="warning", server_header=False)
    place = _shown(host, listening.getsockname()[1])
    address = f"http://{place}/" + (f"?token={token}" if token else "")
    typer.echo(f"{opened.card.provenance.data}, {opened.card.recipe.name}: {address}")
    if reviewed:
        labels = plural(len(reviewed.entries), "label")
        typer.echo(f"{labels} to review: choose '{reviewed.list}' on the page.")
    typer.echo("Research use only, not a medical device. Ctrl-C ends it.", err=True)
    if open_page:
        webbrowser.open(address)
    uvicorn.Server(settings).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket at an address.

    Raises:
        UsageError: it is taken, not of this machine, or not the user's to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).split(" (while")[0]  # Python adds the address once more
        raise UsageError(
            f"Cannot listen on {_shown(host, port)} ({reason}): choose another --host or --port."
        ) from error


def _shown(host: str, port: int) -> str:
    """Return a host and port as an address has them."""
    if host == "127.0.0.1":
        host = "localhost"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
