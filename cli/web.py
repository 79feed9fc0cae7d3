"""`tfwavesep web`."""

from pathlib import Path

import click

from .progress import printable


@click.command()
@click.option("-m", "--model", default="default", show_default=True, help="Name, folder or zip file of a model.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path),
              help="Write the page to a new folder, for any web server, instead.")  # fmt: skip
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="To serve the page on.")
def web(model: str, folder: Path | None, port: int) -> None:
    """Separate songs in the browser: serve the page that does it, to this machine alone, and open it.

    \b
    Example:
      tfwavesep web --port 8080
      tfwavesep web -m saved_models/mine -o site
    """
    from tfwavesep.release import site

    if folder:
        site.write(model, folder)
        click.echo(printable(f"wrote {folder}: serve it with any web server, by https"))
    else:
        _serve(model, port)


def _serve(model: str, port: int) -> None:
    import tempfile
    import webbrowser
    from contextlib import suppress

    from tfwavesep.release import site

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "site"
        site.write(model, folder)
        with site.server(folder, port) as server, suppress(KeyboardInterrupt):
            address = f"http://localhost:{port}/"
            click.echo(f"{address} (Ctrl-C ends it)")
            webbrowser.open(address)
            server.serve_forever()
