"""Verbs that talk to image archives: listen, fetch."""

import ssl
import threading
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import Debug, Quietly
from tumorscope.errors import UsageError

Title = Annotated[str, typer.Option("--title", help="Our AE title.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Where we listen.")]
Host = Annotated[str, typer.Option(help="The address we listen on; 0.0.0.0 for all.")]
Certificate = Annotated[
    Path | None, typer.Option("--tls-cert", help="Our certificate, PEM: connections are encrypted.")
]
Key = Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM.")]
Authority = Annotated[
    Path | None, typer.Option("--tls-ca", help="Whose certificates we trust, PEM.")
]


@app.command()
def listen(
    bundle: Annotated[str, typer.Argument(help="A run, its bundle, its zip, or a model's name.")],
    allow: Annotated[
        list[str], typer.Option(help="An AE title that may send to us; again for more.")
    ],
    inbox: Annotated[
        Path, typer.Option(help="Where images and answers are kept: they name patients.")
    ] = Path("inbox"),
    send_to: Annotated[
        str | None,
        typer.Option(
            help="TITLE@HOST:PORT: the archive that takes the answers.", show_default="none"
        ),
    ] = None,
    title: Title = "TUMORSCOPE",
    host: Host = "127.0.0.1",
    port: Port = 11112,
    quiet_for: Annotated[
        float, typer.Option(min=0, help="Seconds without an image until a series is complete.")
    ] = 30.0,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete images when their answers were taken.")
    ] = False,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    tls_ca: Authority = None,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Take series that an archive sends, answer them, and send reports back."""
    from tumorscope.inference.predict import Predictor  # noqa: PLC0415
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("pacs", "tumorscope listen")
    require_extra("dicom", "tumorscope listen")
    from tumorscope.pacs.dimse import Local, Node, check_title, receiving  # noqa: PLC0415 (an extra)
    from tumorscope.pacs.inbox import Inbox  # noqa: PLC0415
    from tumorscope.pacs.listener import Listener, ListenOptions  # noqa: PLC0415

    if delete and not send_to:
        raise UsageError("--delete needs --send-to: images are deleted when answers were taken.")
    predictor = Predictor.load(bundle)
    served, sending = tls_contexts(tls_cert, tls_key, tls_ca) or (None, None)
    destination = Node.parse(send_to) if send_to else None
    for name in (title, *allow):
        check_title(name)
    with closing(Inbox(inbox)) as kept:
        options = ListenOptions(quiet_for, delete)
        listener = Listener(predictor, kept, Local(title, sending), destination, options, _say)
        with receiving(Local(title, served), (host, port), allow, listener.keep) as used:
            _say(f"{title} listens on {host}:{used} for {', '.join(allow)}; Ctrl-C ends it.")
            listener.run(threading.Event())


def _say(line: str) -> None:
    """Print a line at once, also into a log."""
    typer.echo(line)


@app.command()
def fetch(
    source: Annotated[
        str, typer.Argument(help="The address of a DICOMweb service, or TITLE@HOST:PORT.")
    ],
    out: Annotated[Path, typer.Argument(help="A folder; each series gets one in it.")],
    study: Annotated[str, typer.Option(help="The UID of the study.")],
    series: Annotated[str | None, typer.Option(help="The UID of one series of it.")] = None,
    title: Title = "TUMORSCOPE",
    host: Host = "127.0.0.1",
    port: Port = 11112,
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Fetch the MR images of a study from an archive."""
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("pacs", "tumorscope fetch")
    require_extra("dicom", "tumorscope fetch")
    from tumorscope.pacs.dimse import Local  # noqa: PLC0415 (an extra)
    from tumorscope.pacs.fetch import fetch as fetch_study  # noqa: PLC0415
    from tumorscope.support.terminal import terminal_progress  # noqa: PLC0415
    from tumorscope.support.text import plural  # noqa: PLC0415

    count = fetch_study(
        source,
        out,
        study,
        series=series,
        ours=(Local(title), (host, port)),
        progress=terminal_progress(quiet=quiet),
    )
    typer.echo(f"{plural(count, 'image')}: {out}")


def tls_contexts(
    certificate: Path | None, key: Path | None, authority: Path | None
) -> tuple[ssl.SSLContext, ssl.SSLContext] | None:
    """Return what encrypts connections to us, and from us; None where none is asked for.

    Both ends show a certificate of the authority.

    Raises:
        UsageError: something is missing, or is no certificate.
    """
    if not (certificate or key or authority):
        return None
    if not (certificate and key and authority):
        raise UsageError("TLS needs --tls-cert, --tls-key and --tls-ca.")
    try:
        contexts = [
            ssl.create_default_context(purpose, cafile=str(authority))
            for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)
        ]
        for context in contexts:
            context.load_cert_chain(certificate, key)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"The TLS files cannot be read ({error}).") from error
    return contexts[0], contexts[1]
