"""The page that separates songs, in a real browser: the stems that Python gives, files that sum to the song, and one
line where something is wrong."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import Page, needed, serving
from conftest import DEMO_SONG, synthetic_stems

from tfwavesep import Separator
from tfwavesep.release import site
from tfwavesep.release.fidelity import snr

STEMS = ("vocals", "drums", "bass", "other")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    needed()
    opened = Page(tmp_path_factory.mktemp("downloads"))
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="session")
def default_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page with the released model."""
    needed()
    folder = tmp_path_factory.mktemp("sites") / "default"
    site.write("default", folder)
    return folder


@pytest.fixture(scope="session")
def default(default_site: Path) -> Iterator[str]:
    """Its address."""
    with serving(default_site) as address:
        yield address


@pytest.fixture(scope="session")
def tiny_site(model: Path) -> Path:
    """The folder of the page with a tiny model, which is quick."""
    needed()
    folder = model.parent / "site"
    site.write(str(model), folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_site: Path) -> Iterator[str]:
    """Its address."""
    with serving(tiny_site) as address:
        yield address


def song(folder: Path, seconds: float, sample_rate: int = 8000, channels: int = 2) -> Path:
    """Synthetic music as 16-bit WAV."""
    path = folder / "song.wav"
    mixture = sum(synthetic_stems(seconds, sample_rate, seed=1).values())[:, :channels]
    soundfile.write(path, mixture, sample_rate, "PCM_16")
    return path


def steps(path: Path | BytesIO) -> np.ndarray:
    """A 16-bit file as int64 `(time, channels)`."""
    return soundfile.read(path, dtype="int16", always_2d=True)[0].astype(np.int64)


def all_stems(page: Page) -> dict[str, np.ndarray]:
    """The stems that the page gives as a ZIP, by name."""
    with zipfile.ZipFile(page.saved(page["all"].click)) as file:
        assert file.testzip() is None
        return {Path(name).stem: steps(BytesIO(file.read(name))) for name in file.namelist()}


def least_snr(stems: dict[str, np.ndarray], mixture: Path) -> float:
    """The least SNR of a stem, with Python's as what is expected, in dB."""
    audio, sample_rate = soundfile.read(mixture, dtype="float32", always_2d=True)
    expected = Separator.load("default").separate(audio, sample_rate)
    return min(snr(np.rint(expected[stem] * 32768), found.astype(np.float32)) for stem, found in stems.items())


@pytest.fixture(scope="module")
def demo(page: Page, default: str) -> dict[str, np.ndarray]:
    """The stems of the demo song, by the released model."""
    page.go(default)
    page.errors()
    page.separate(DEMO_SONG / "mixture.flac")
    assert page.errors() == []
    return all_stems(page)


def test_stems_sum_to_the_songs_own_steps(demo: dict[str, np.ndarray]) -> None:
    assert tuple(demo) == STEMS
    np.testing.assert_array_equal(sum(demo.values()), steps(DEMO_SONG / "mixture.flac"))


def test_stems_are_those_of_python(demo: dict[str, np.ndarray]) -> None:
    assert least_snr(demo, DEMO_SONG / "mixture.flac") >= 45


def test_a_browser_without_relaxed_simd_gives_them_too(page: Page, default: str) -> None:
    """What it lacks is known by a program of a few bytes that it cannot run."""
    refuse = """
        const instantiate = WebAssembly.instantiate;
        WebAssembly.instantiate = (bytes, ...rest) =>
            bytes.byteLength < 100 ? Promise.reject(new Error("no such instruction")) : instantiate(bytes, ...rest);
    """
    with page.before_it_loads(refuse):
        page.go(default)
        page.separate(DEMO_SONG / "mixture.flac")
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert not any("litert_wasm_internal" in name for name in page.driver.execute_script(script))
    assert least_snr(all_stems(page), DEMO_SONG / "mixture.flac") >= 30


def test_every_run_gives_the_same(page: Page, default: str, tmp_path: Path) -> None:
    """Of a song that repeats itself, segment by segment."""
    length = Separator.load("default").target_length
    period = np.random.default_rng(0).integers(-5000, 5000, (length, 2)).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", np.tile(period, (7, 1)), 44100, "PCM_16")
    page.go(default)
    page.separate(tmp_path / "song.wav")
    for stem in all_stems(page).values():
        runs = stem.reshape(7, length, 2)[1:-1]
        assert all(np.array_equal(run, runs[0]) for run in runs[1:])


def test_any_model_works(page: Page, tiny: str, model: Path, tmp_path: Path) -> None:
    """This one is mono, at another rate, and leaves the last stem over."""
    page.go(tiny)
    path = song(tmp_path, seconds=5)
    page.separate(path)
    stems = all_stems(page)
    separator = Separator.load(str(model))
    expected = separator.separate(steps(path).astype(np.float32) / 32768, 8000)
    assert list(stems) == list(expected)
    for name, stem in stems.items():
        assert snr(expected[name], stem / 32768) >= 45
    np.testing.assert_array_equal(sum(stems.values()), steps(path))


def test_stems_beyond_full_scale_are_cut_and_sum_all_the_same(page: Page, tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    loud = np.sign(np.random.default_rng(0).standard_normal((8000, 2)))
    soundfile.write(path, loud, 8000, "PCM_16")
    page.go(tiny)
    page.separate(path)
    np.testing.assert_array_equal(sum(all_stems(page).values()), steps(path))


def test_all_stems_are_saved_where_the_disk_is_full(page: Page, tiny: str, tmp_path: Path) -> None:
    """A browser then cannot make one file of an answer, whose parts it keeps on disk."""
    with page.before_it_loads("Response.prototype.blob = () => Promise.reject(new TypeError('Failed to fetch'));"):
        page.go(tiny)
        path = song(tmp_path, seconds=2)
        page.separate(path)
    np.testing.assert_array_equal(sum(all_stems(page).values()), steps(path))


@pytest.mark.parametrize("button", ["all", "mix"])
def test_what_fails_behind_a_click_is_told_and_the_song_stays(
    page: Page, tiny: str, tmp_path: Path, button: str
) -> None:
    """As where a browser cannot keep a file; one of these is awaited, one is not. It is told until it works again."""
    page.go(tiny)
    page.separate(song(tmp_path, seconds=2))
    page.driver.execute_script("window.make = URL.createObjectURL; URL.createObjectURL = null;")
    page[button].click()
    page.wait(lambda: page.fault)
    assert page.fault == "Something went wrong: URL.createObjectURL is not a function"
    assert page.state == "done"
    page.driver.execute_script("URL.createObjectURL = window.make;")
    page[button].click()
    page.wait(lambda: not page.fault)


@pytest.fixture(scope="module")
def stems(page: Page, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """A song that is separated and on the page."""
    page.go(tiny)
    page.separate(song(tmp_path_factory.mktemp("song"), seconds=20))
    return all_stems(page)


def heard(page: Page) -> np.ndarray:
    """The mix that the page gives as a file."""
    return steps(page.saved(page["mix"].click))


def total(stems: dict[str, np.ndarray], *names: str) -> np.ndarray:
    return np.clip(sum(stems[name] for name in names), -32768, 32767)


def test_one_stem_is_saved_by_itself(page: Page, stems: dict[str, np.ndarray]) -> None:
    path = page.saved(lambda: page.click("drums", "save"))
    assert path.name == "song - drums.wav"
    np.testing.assert_array_equal(steps(path), stems["drums"])


def test_mute_solo_volume_and_karaoke_change_what_is_heard_and_saved(page: Page, stems: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(heard(page), total(stems, *STEMS))
    page.click("bass", "mute")
    np.testing.assert_array_equal(heard(page), total(stems, "vocals", "drums", "other"))
    page.click("drums", "solo")
    np.testing.assert_array_equal(heard(page), total(stems, "drums"))
    page.click("drums", "solo")
    page["karaoke"].click()
    assert page["karaoke"].get_attribute("aria-pressed") == "true"
    np.testing.assert_array_equal(heard(page), total(stems, "drums", "bass", "other"))
    page["karaoke"].click()
    volume = page.row("vocals").find_element("class name", "volume")
    script = "arguments[0].value = 0.5; arguments[0].dispatchEvent(new Event('input'))"
    page.driver.execute_script(script, volume)
    expected = total(stems, "drums", "bass", "other") + 0.5 * stems["vocals"]
    np.testing.assert_allclose(heard(page), np.clip(expected, -32768, 32767), atol=0.5)
    page.driver.execute_script(script.replace("0.5", "1"), volume)


def test_meters_show_what_is_heard(page: Page, stems: dict[str, np.ndarray]) -> None:
    def levels() -> list[float]:
        return [float(meter.get_property("value")) for meter in page.all("meter")]

    page.click("drums", "mute")
    page["play"].click()
    page.wait(lambda: levels()[0] > 0.01 and levels()[1] < 0.001)
    page.click("drums", "mute")
    page.wait(lambda: levels()[1] > 0.01)
    page["play"].click()
    page.wait(lambda: max(levels()) == 0)


def test_keys_do_what_buttons_do(page: Page, stems: dict[str, np.ndarray]) -> None:
    page.driver.execute_script("document.activeElement.blur()")
    page.keys("k")
    assert page["karaoke"].get_attribute("aria-pressed") == "true"
    page.keys("k", "3")
    assert page.row("bass").find_element("class name", "mute").get_attribute("aria-pressed") == "true"
    page.keys("3", " ")
    page.wait(lambda: page["play"].get_attribute("aria-label") == "Pause")
    before = page.place
    page.keys("\ue014")  # right
    assert page.wait(lambda: page.place >= before + 5)
    page.keys(" ", "i")
    page.wait(lambda: page["play"].get_attribute("aria-label") == "Play")
    assert page["loop"].get_attribute("aria-pressed") == "true"
    page.keys("l")
    assert page["loop"].get_attribute("aria-pressed") == "false"


def test_a_click_on_a_waveform_goes_there_and_a_drag_repeats_a_part(page: Page, stems: dict[str, np.ndarray]) -> None:
    from selenium.webdriver import ActionChains

    wave = page.row("bass").find_element("class name", "wave")
    ActionChains(page.driver).move_to_element(wave).click().perform()
    page.wait(lambda: abs(page.place - 10) < 0.2)
    tenth = wave.size["width"] // 10
    drag = ActionChains(page.driver).move_to_element(wave).move_by_offset(-tenth, 0)
    drag.click_and_hold().move_by_offset(tenth // 2, 0).release().perform()
    assert page["loop"].get_attribute("aria-pressed") == "true"
    page["play"].click()
    places = [page.wait(lambda: page.place) for _ in range(200)]
    assert min(places) >= 7.8
    assert max(places) <= 9.2
    assert any(later < earlier for earlier, later in pairwise(places))
    page["play"].click()
    page["loop"].click()
    assert page["loop"].get_attribute("aria-pressed") == "false"


def test_every_control_has_a_name(page: Page, stems: dict[str, np.ndarray]) -> None:
    shown = [each for each in page.all("button, input, summary, a") if each.is_displayed()]
    assert len(shown) > 20
    assert [each.get_attribute("outerHTML") for each in shown if not each.accessible_name] == []
    names = [each.accessible_name for each in shown]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phones_width_is_enough(page: Page, stems: dict[str, np.ndarray], width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    beyond = page.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert beyond <= 0


def test_it_plays_before_it_is_separated_and_can_be_given_up(page: Page, default: str, tmp_path: Path) -> None:
    page.go(default)
    page.choose(song(tmp_path, seconds=100))
    page.wait(lambda: page.state == "song")
    page["play"].click()
    page.wait(lambda: page.place > 0.1)
    assert page.state == "song"
    assert "of 1:40 separated, about" in page["told"].text
    page["cancel"].click()
    assert (page.state, page.fault) == ("start", "")
    page.separate(song(tmp_path, seconds=1))  # what was under way does not get into the next song
    assert page["told"].text.startswith("0:01 separated in ")


@pytest.mark.parametrize(
    ("seconds", "sample_rate", "channels", "facts"),
    [
        (3, 8000, 1, "0:03, mono, 44.1 kHz, from 8 kHz by your browser"),
        (3, 48000, 2, "0:03, stereo, 44.1 kHz, from 48 kHz by your browser"),
        (0.01, 44100, 2, "0:00, stereo, 44.1 kHz"),
    ],
)
def test_songs_of_any_rate_and_length(
    page: Page, default: str, tmp_path: Path, seconds: float, sample_rate: int, channels: int, facts: str
) -> None:
    page.go(default)
    page.separate(song(tmp_path, seconds, sample_rate, channels))
    assert page["facts"].text == facts
    stems = all_stems(page)
    assert {stem.shape for stem in stems.values()} == {(round(seconds * 44100), channels)}
    assert np.any(sum(stems.values()))


def test_silence_stays_silent(page: Page, default: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((44100, 2)), 44100, "PCM_16")
    page.go(default)
    page.separate(tmp_path / "song.wav")
    assert not any(map(np.any, all_stems(page).values()))


def test_a_song_can_be_dropped_and_recorded(page: Page, tiny: str, tmp_path: Path) -> None:
    page.go(tiny)
    page.driver.execute_async_script(
        """
        const [bytes, done] = arguments;
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(bytes)], "dropped.wav"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        done();
        """,
        list(song(tmp_path, seconds=1).read_bytes()),
    )
    page.wait(lambda: page.state == "done")
    assert page["name"].text == "dropped"
    page["again"].click()
    page["record"].click()
    page.wait(lambda: page["record"].text == "Stop and separate")
    page.driver.execute_async_script("setTimeout(arguments[0], 1500)")
    page["record"].click()
    page.wait(lambda: page.state == "done" or page.fault)
    assert page["name"].text == "recording"


def test_files_that_are_no_songs_are_refused_in_a_line(page: Page, tiny: str, tmp_path: Path) -> None:
    page.go(tiny)
    (tmp_path / "text.mp3").write_text("not music at all")
    assert "text.mp3: this browser cannot decode it. It can decode WAV, FLAC, MP3" in page.refused(
        tmp_path / "text.mp3"
    )
    (tmp_path / "half.flac").write_bytes((DEMO_SONG / "mixture.flac").read_bytes()[:30])
    assert "half.flac: this browser cannot decode it" in page.refused(tmp_path / "half.flac")
    page.separate(song(tmp_path, seconds=1))
    assert page.fault == ""


def test_two_hours_are_refused_before_they_are_decoded(page: Page, default: str, tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 8000, 1, "PCM_U8") as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8000))
    page.go(default)
    assert "long.wav: 120 minutes are too long for this device's memory" in page.refused(tmp_path / "long.wav")


def test_it_works_without_a_network_after_the_first_visit(page: Page, tiny_site: Path, tmp_path: Path) -> None:
    with serving(tiny_site) as address:
        page.go(address)
        page.wait(lambda: page["offline"].text.startswith("Works without a network"))
    page.driver.refresh()
    page.wait(lambda: page["model"].text)
    page.separate(song(tmp_path, seconds=1))
    assert page["offline"].text.startswith("Works without a network")


def test_a_newer_version_takes_the_place_of_the_one_that_is_kept(page: Page, tiny_site: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_site, tmp_path / "site"))
    with serving(copy) as address:
        page.go(address)
        page.wait(lambda: page["offline"].text.startswith("Works without a network"))
        about = json.loads((copy / "model" / "about.json").read_text())
        (copy / "model" / "about.json").write_text(json.dumps({**about, "description": "a newer one"}))
        script = (copy / "offline.js").read_text()
        (copy / "offline.js").write_text(script.replace('"version": "', '"version": "newer'))
        page.driver.get(address)
        told = "return document.getElementById('model')?.textContent ?? ''"  # the page loads itself anew meanwhile
        page.wait(lambda: "a newer one" in page.driver.execute_script(told))


def test_nothing_leaves_the_site(page: Page, tiny: str, tmp_path: Path) -> None:
    page.driver.get_log("performance")
    page.go(tiny)
    page.separate(song(tmp_path, seconds=1))
    messages = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    sent = [m["params"]["request"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert len(sent) > 5
    assert {request["method"] for request in sent} == {"GET"}
    assert not [request["url"] for request in sent if not request["url"].startswith((tiny, f"blob:{tiny}"))]


FAULTS = {
    "model/about.json": "The site has no model",
    "wasm/litert_wasm_internal.js": "The network cannot run in this browser",
    "wasm/litert_wasm_internal.wasm": "The network cannot run in this browser",
    "worker.js": "The separation stopped",
}


@pytest.mark.parametrize("missing", FAULTS)
def test_a_site_that_is_not_whole_says_so_in_a_line(page: Page, tiny_site: Path, tmp_path: Path, missing: str) -> None:
    copy = Path(shutil.copytree(tiny_site, tmp_path / "site"))
    (copy / missing).unlink()
    with serving(copy) as address:
        page.driver.get(address)
        assert FAULTS[missing] in page.refused(song(tmp_path, seconds=1))


def test_a_network_that_is_damaged_says_so_in_a_line(page: Page, tiny_site: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_site, tmp_path / "site"))
    (copy / "model" / "model.tflite").write_bytes(b"nonsense" * 100)
    with serving(copy) as address:
        page.go(address)
        assert "The network cannot run in this browser" in page.refused(song(tmp_path, seconds=1))


def test_a_worker_that_dies_ends_the_song_and_the_next_one_works(page: Page, tiny: str, tmp_path: Path) -> None:
    die = """
        const post = Worker.prototype.postMessage;
        let left = 4;
        Worker.prototype.postMessage = function (message, ...rest) {
            if (message.kind === "separate" && --left === 0) {
                this.terminate();
                this.dispatchEvent(new ErrorEvent("error", { message: "out of memory" }));
            } else post.call(this, message, ...rest);
        };
    """
    with page.before_it_loads(die):
        page.go(tiny)
        assert page.refused(song(tmp_path, seconds=20)) == "The separation stopped: out of memory. Try again."
        page.separate(song(tmp_path, seconds=3))


def test_no_room_to_keep_it_is_said_and_does_no_harm(page: Page, tiny_site: Path, tmp_path: Path) -> None:
    with serving(tiny_site) as address:
        origin = address.rstrip("/")
        page.driver.execute_cdp_cmd("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1000})
        page.go(address)
        page.wait(lambda: page["offline"].text.startswith("Cannot be kept"))
        page.separate(song(tmp_path, seconds=1))
