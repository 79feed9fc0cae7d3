"""Chromium on the page that separates songs, as a user has it: files in, clicks and keys, files out."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tfwavesep.errors import SiteError
from tfwavesep.release import site

PATIENCE_SECONDS = 180
"""For a song of a minute on a machine that has much else to do."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--window-size=1200,1000",
)


def needed() -> None:
    """Skip where there is no browser, or no page to show in it."""
    pytest.importorskip("selenium", reason="the page in a browser: needs pip install selenium")
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            pytest.skip("the page in a browser: needs Debian's packages chromium and chromium-driver")
    try:
        site.program()
    except SiteError as error:
        pytest.skip(str(error))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A site's address while it is served."""
    with site.server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


class Page:
    """A browser window.

    Args:
        folder: that downloads are saved to.
    """

    def __init__(self, folder: Path) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.downloads = folder

    def go(self, address: str) -> None:
        self.driver.get(address)
        self.wait(lambda: self["model"].text)

    def __getitem__(self, name: str) -> Any:
        """An element by its id."""
        return self.driver.find_element("id", name)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def wait(self, holds: Callable[[], Any]) -> Any:
        """What a function gives, once it is true."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            assert time.monotonic() < until, f"{self.fault} {self['told'].text} {self['offline'].text}"
            time.sleep(0.05)
        return found

    @property
    def state(self) -> str:
        """Which of its faces the page shows; "done" once a song is separated."""
        state = self.driver.find_element("tag name", "body").get_attribute("data-state")
        return "done" if state == "song" and self["work"].get_attribute("data-state") == "done" else state

    @property
    def fault(self) -> str:
        return self["fault"].text

    @property
    def place(self) -> float:
        """Where the song is heard, in seconds."""
        return float(self["place"].get_property("value"))

    def choose(self, song: Path) -> None:
        self["file"].send_keys(str(song))

    def separate(self, song: Path) -> None:
        self.choose(song)
        self.wait(lambda: self.state == "done" or self.fault)
        assert self.fault == ""

    def refused(self, song: Path) -> str:
        """The line that a song is refused with; nothing of it may be left."""
        self.choose(song)
        self.wait(lambda: self.fault)
        assert self.state == "start"
        assert "\n" not in self.fault
        return self.fault

    def row(self, stem: str) -> Any:
        """A stem's row."""
        return self.driver.find_element("css selector", f"[data-stem={stem}]")

    def click(self, stem: str, button: str) -> None:
        self.row(stem).find_element("class name", button).click()

    def saved(self, click: Callable[[], None]) -> Path:
        """The file that a click gives."""
        before = set(self.downloads.iterdir())
        click()
        (path,) = self.wait(lambda: {p for p in self.downloads.iterdir() if p.suffix in (".wav", ".zip")} - before)
        return Path(path)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def errors(self) -> list[str]:
        """What the console has as errors since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    @contextmanager
    def before_it_loads(self, script: str) -> Iterator[None]:
        """Pages that are opened in the block run a script first."""
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        yield
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
