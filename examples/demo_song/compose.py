"""Compose and render the demo song: a 20 second original with its four true stems.

Run ``python compose.py``; the five FLAC files are written beside this script. Everything that
varies is seeded, so on the same machine every run gives the same samples.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import parselmouth
import soundfile as sf
from numpy.typing import NDArray
from parselmouth.praat import call, run
from scipy.signal import butter, fftconvolve, resample_poly, sosfiltfilt

Audio = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
STEMS = ("vocals", "drums", "bass", "other")

RATE = 44_100
TEMPO = 128.0
BEAT = 60.0 / TEMPO
BEATS_PER_BAR = 4
BARS = 10
LENGTH = round(BARS * BEATS_PER_BAR * BEAT * RATE)
TICKS = 480
SEED = 20

MIX_PEAK = 0.85
# RMS of each stem where it plays, in dB relative to one another; the mix is scaled afterwards.
BALANCE_DB = {"vocals": 0.0, "drums": -0.5, "bass": -1.0, "other": -0.5}
# Transients are rounded off above this multiple of the stem's RMS, so that the mix can be loud.
CEILING = {"vocals": 4.0, "drums": 4.5, "bass": 3.5, "other": 4.5}


@dataclass(frozen=True)
class Note:
    """One MIDI note; ``start`` and ``length`` are in beats from the start of the song."""

    start: float
    length: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """One instrument: its notes, its General MIDI program and its place in the stereo image."""

    notes: list[Note]
    program: int = 0
    pan: int = 64
    volume: int = 100
    channel: int = 0


@dataclass(frozen=True)
class Line:
    """One sung line: its words, its first beat, and (beat, length, key) for every syllable."""

    words: str
    start: float
    melody: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Phone:
    """One speech sound, with its place in the spoken line, in seconds."""

    name: str
    start: float
    end: float


# --------------------------------------------------------------------------- the composition

# (bar, beat in bar, bass key, chord keys): D major, all voiced around middle C.
CHORDS: tuple[tuple[int, float, int, tuple[int, ...]], ...] = (
    (0, 0, 38, (57, 62, 66, 69)),  # D      intro
    (1, 0, 38, (57, 62, 66, 69)),  # D      verse
    (2, 0, 35, (59, 62, 66, 69)),  # Bm7
    (3, 0, 43, (59, 62, 67, 69)),  # Gadd9
    (4, 0, 33, (57, 61, 64, 69)),  # A
    (5, 0, 40, (59, 64, 67, 71)),  # Em     break
    (6, 0, 33, (57, 61, 64, 67)),  # A7
    (7, 0, 38, (57, 62, 66, 69)),  # D      refrain
    (7, 2, 42, (57, 62, 66, 69)),  # D/F#
    (8, 0, 43, (59, 62, 67, 71)),  # G
    (8, 2, 33, (57, 61, 64, 67)),  # A7
    (9, 0, 38, (57, 62, 66, 69)),  # D      end
)
BREAK_BARS = (5, 6)
REFRAIN_BARS = (7, 8)
LAST_BAR = BARS - 1

LYRICS: tuple[Line, ...] = (
    Line(
        "Paper boats on a silver stream",
        4.0,
        (
            (0.0, 0.5, 62),
            (0.5, 0.5, 62),
            (1.0, 1.0, 66),
            (2.0, 0.5, 64),
            (2.5, 0.5, 62),
            (3.0, 0.5, 64),
            (3.5, 0.5, 62),
            (4.0, 2.4, 59),
        ),
    ),
    Line(
        "bring the sound of a long lost dream",
        12.0,
        (
            (0.0, 0.5, 62),
            (0.5, 0.5, 64),
            (1.0, 1.0, 67),
            (2.0, 0.5, 66),
            (2.5, 0.5, 64),
            (3.0, 0.5, 62),
            (3.5, 1.0, 62),
            (4.5, 2.0, 64),
        ),
    ),
    Line(
        "hold your breath and wait for me",
        20.0,
        (
            (0.0, 1.0, 67),
            (1.0, 0.5, 66),
            (1.5, 1.5, 64),
            (3.0, 1.0, 62),
            (4.0, 1.0, 64),
            (5.0, 0.5, 62),
            (5.5, 1.6, 61),
        ),
    ),
    Line(
        "piece by piece the song comes free",
        28.0,
        (
            (0.0, 1.0, 66),
            (1.0, 0.5, 66),
            (1.5, 2.0, 69),
            (3.5, 0.5, 66),
            (4.0, 2.0, 67),
            (6.0, 1.5, 64),
            (7.5, 2.9, 62),
        ),
    ),
)
# The refrain's second voice, a third or so below the tune.
HARMONY_KEYS = (62, 62, 66, 62, 62, 61, 57)


def chord_spans() -> list[tuple[int, float, float, int, tuple[int, ...]]]:
    """Return (bar, start, length, bass key, chord keys) for each chord, lengths filled in."""
    starts = [bar * BEATS_PER_BAR + beat for bar, beat, _, _ in CHORDS]
    ends = [*starts[1:], BARS * BEATS_PER_BAR]
    return [
        (chord[0], start, end - start, chord[2], chord[3])
        for chord, start, end in zip(CHORDS, starts, ends, strict=True)
    ]


def write_bass() -> list[Note]:
    """Write the bass line: roots and fifths, held in the break, in eighths in the refrain."""
    notes: list[Note] = []
    for bar, start, length, root, _ in chord_spans():
        fifth = root + 7 if root < 40 else root - 5
        if bar == 0 or bar == LAST_BAR:
            notes.append(Note(start, length - 0.7, root, 96))
        elif bar in BREAK_BARS:
            notes.append(Note(start, length - 0.2, root, 100))
        elif bar in REFRAIN_BARS:
            keys = (root, root, root + 12, root)
            notes += [Note(start + i / 2, 0.45, key, 104 - 6 * (i % 2)) for i, key in enumerate(keys)]
        else:
            shape = ((0.0, 1.4, root), (1.5, 0.4, root), (2.0, 0.9, fifth), (3.0, 0.4, root))
            notes += [Note(start + at, held, key, 100) for at, held, key in shape]
            notes.append(Note(start + 3.5, 0.4, fifth, 92))
    return notes


def write_piano() -> list[Note]:
    """Write the piano: a syncopated comp that thins out to whole chords in the break."""
    notes: list[Note] = []
    for bar, start, length, _, keys in chord_spans():
        held = bar in BREAK_BARS or bar == LAST_BAR
        hits = ((0.0, length - 0.1),) if held else ((0.0, 1.4), (1.5, 0.4), (2.5, 1.4))
        for at, span in hits:
            if at < length:
                span = min(span, length - at)
                notes += [Note(start + at, span, key, 84 if at == 0 else 70) for key in keys]
    return notes


def write_guitar() -> list[Note]:
    """Write the guitar: an arpeggio in eighths, which carries the break once the drums are gone."""
    order = (0, 2, 1, 3, 2, 1, 3, 2)
    notes: list[Note] = []
    for bar, start, length, _, keys in chord_spans():
        if bar == LAST_BAR:
            notes += [Note(start + 0.06 * i, 3.2, key, 92) for i, key in enumerate(keys)]
            continue
        for step in range(round(length * 2)):
            velocity = 98 if step % 4 == 0 else 84
            notes.append(Note(start + step / 2, 0.9, keys[order[step]], velocity))
    return notes


def write_strings() -> list[Note]:
    """Write the strings: they enter at the break and widen the refrain."""
    return [
        Note(start, length - 0.05, key + (12 if bar in REFRAIN_BARS else 0), 78)
        for bar, start, length, _, keys in chord_spans()
        if bar in BREAK_BARS or bar in REFRAIN_BARS or bar == LAST_BAR
        for key in keys[1:]
    ]


KICK, STICK, SNARE, CLOSED, OPEN, CRASH = 36, 37, 38, 42, 46, 49
TOMS = (50, 47, 45, 43)


def hits(start: float, key: int, beats: Iterable[float], velocity: int) -> list[Note]:
    """Return one drum struck on several beats."""
    return [Note(start + beat, 0.2, key, velocity) for beat in beats]


def drum_bar(start: float, busy: bool) -> list[Note]:
    """Write one bar of the groove; the busy one, for the refrain, has more kick and open hats."""
    kicks = (0.0, 1.5, 2.0, 2.75) if busy else (0.0, 1.5, 2.5)
    notes = hits(start, KICK, kicks, 112)
    notes += hits(start, SNARE, (1.0, 3.0), 110)
    notes += hits(start, SNARE, (3.75,) if busy else (2.25,), 44)
    notes += hits(start, CLOSED, (0.0, 1.0, 2.0, 3.0), 88)
    notes += hits(start, CLOSED, (0.5, 1.5, 2.5), 66)
    return notes + hits(start, OPEN if busy else CLOSED, (3.5,), 72)


def drum_fill(start: float) -> list[Note]:
    """Write a two beat fill: snare sixteenths that run down the toms."""
    notes = [Note(start + i / 4, 0.2, SNARE, 70 + 10 * i) for i in range(4)]
    return notes + [Note(start + 1 + i / 4, 0.2, tom, 108) for i, tom in enumerate(TOMS)]


def write_drums() -> list[Note]:
    """Write the drums: intro ticks, verse, a fill, silence in the break, a fill, the refrain."""
    notes = hits(0.0, CLOSED, np.arange(0.0, 3.0, 0.5), 76) + hits(0.0, STICK, (1.0,), 92)
    notes += hits(0.0, KICK, (0.0, 1.5), 100) + hits(0.0, SNARE, (3.0, 3.25, 3.5), 92)
    notes += hits(0.0, TOMS[3], (3.75,), 104)
    for bar in range(1, LAST_BAR):
        start = bar * BEATS_PER_BAR
        if bar not in BREAK_BARS:
            notes += drum_bar(start, busy=bar in REFRAIN_BARS)
        if bar in (1, 7):
            notes += hits(start, CRASH, (0.0,), 100)
    fills = (BREAK_BARS[0] * BEATS_PER_BAR - 2, REFRAIN_BARS[0] * BEATS_PER_BAR - 2)
    for fill in fills:
        notes = [note for note in notes if not fill <= note.start < fill + 2]
        notes += drum_fill(fill)
    end = LAST_BAR * BEATS_PER_BAR
    return notes + hits(end, KICK, (0.0,), 116) + hits(end, CRASH, (0.0,), 104)


# --------------------------------------------------------------------------- the instruments


def humanise(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    """Move notes by a few milliseconds and velocity steps, as a player would."""
    moved = []
    for note in sorted(notes, key=lambda n: (n.start, n.key)):
        start = max(0.0, note.start + rng.normal(0.0, 0.006))
        velocity = int(np.clip(note.velocity + rng.normal(0.0, 4.0), 1, 127))
        moved.append(Note(start, note.length, note.key, velocity))
    return moved


def to_track(part: Part) -> mido.MidiTrack:
    """Turn a part into a MIDI track, with note-offs before note-ons on the same tick."""
    channel = part.channel
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO)))
    track.append(mido.Message("program_change", channel=channel, program=part.program))
    for control, value in ((7, part.volume), (10, part.pan)):
        track.append(mido.Message("control_change", channel=channel, control=control, value=value))
    events: list[tuple[int, int, int]] = []
    for note in part.notes:
        events.append((round(note.start * TICKS), note.key, note.velocity))
        events.append((round((note.start + note.length) * TICKS), note.key, 0))
    now = 0
    for tick, key, velocity in sorted(events, key=lambda event: (event[0], event[2] > 0, event[1])):
        track.append(mido.Message("note_on", channel=channel, note=key, velocity=velocity, time=tick - now))
        now = tick
    return track


def fit(audio: Audio) -> Audio:
    """Pad or cut to the length of the song, so that all stems line up."""
    audio = audio[:LENGTH]
    return np.pad(audio, ((0, LENGTH - len(audio)), (0, 0)))


def play(part: Part, folder: Path) -> Audio:
    """Render one part with fluidsynth, dry: the reverb is added here, where it is repeatable."""
    midi, wav = folder / "part.mid", folder / "part.wav"
    mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[to_track(part)]).save(midi)
    command = ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE)]
    command += ["-o", "synth.cpu-cores=1", "-T", "wav", "-O", "float", "-F", str(wav)]
    subprocess.run([*command, str(SOUND_FONT), str(midi)], check=True, capture_output=True)
    audio, rate = sf.read(wav, always_2d=True)
    assert rate == RATE
    return fit(audio)


# --------------------------------------------------------------------------- the singer

MONOPHTHONGS = frozenset(("aa", "ae", "ah", "ao", "ax", "eh", "er", "ih", "iy", "uh", "uw"))
DIPHTHONGS = frozenset(("aw", "ay", "ey", "ow", "oy"))
VOWELS = MONOPHTHONGS | DIPHTHONGS
# Shortest share of a note that its vowel may get; the consonants before the next note give way.
MIN_VOWEL = 0.45
# A singer's long notes need long vowels: the slower the speech, the less is left to stretch. The
# consonants are brought back to nearly the speed of speech.
SLOWNESS = 2.0
CONSONANTS = 1.15 / SLOWNESS


def frequency(key: float | Audio) -> Audio:
    """Return the frequency in Hz of a (fractional) MIDI key."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(key) - 69.0) / 12.0))


def speak(words: str, pitch: float, wav: Path) -> tuple[parselmouth.Sound, list[Phone]]:
    """Speak a line with flite, slowly and near the sung pitch, and say where each phone lies."""
    command = ["flite", "-voice", "slt", "-psdur", "--setf", f"duration_stretch={SLOWNESS}"]
    command += ["--setf", f"int_f0_target_mean={pitch:.1f}", "-t", words, "-o", str(wav)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    phones: list[Phone] = []
    start = 0.0
    for item in printed.split():
        name, end = item.split(":")
        phones.append(Phone(name, start, float(end)))
        start = float(end)
    return parselmouth.Sound(str(wav)), phones


def time_map(phones: list[Phone], line: Line) -> tuple[Audio, Audio]:
    """Return matching (spoken, sung) times: each vowel starts on its note's beat and fills it.

    Singers place the consonants ahead of the beat and hold the first part of a vowel, so the
    stretch goes there; a diphthong's glide and the consonants keep about their spoken speed.
    """
    sounds = [phone for phone in phones if phone.name != "pau"]
    nuclei = [i for i, phone in enumerate(sounds) if phone.name in VOWELS]
    assert len(nuclei) == len(line.melody), (line.words, [phone.name for phone in sounds])
    onsets = [(line.start + beat) * BEAT for beat, _, _ in line.melody]
    closing = onsets[-1] + line.melody[-1][1] * BEAT
    first = sounds[nuclei[0]].start - sounds[0].start
    spoken, sung = [sounds[0].start], [onsets[0] - first]
    for n, i in enumerate(nuclei):
        vowel = sounds[i]
        last = n + 1 == len(nuclei)
        after = (sounds[-1].end if last else sounds[nuclei[n + 1]].start) - vowel.end
        until = closing if last else onsets[n + 1]
        total = until - onsets[n]
        length = max(total - CONSONANTS * after, MIN_VOWEL * total)
        span = vowel.end - vowel.start
        held = 0.6 if vowel.name in DIPHTHONGS else 0.85
        glide = min((1.0 - held) * span, 0.35 * length)
        spoken += [vowel.start, vowel.start + held * span, vowel.end]
        sung += [onsets[n], onsets[n] + length - glide, onsets[n] + length]
    spoken.append(sounds[-1].end)
    sung.append(closing)
    return np.array(spoken), np.array(sung)


def pitch_curve(times: Audio, line: Line) -> Audio:
    """Return the sung pitch in Hz: the written notes, joined by short slides, with late vibrato."""
    onsets = np.array([(line.start + beat) * BEAT for beat, _, _ in line.melody])
    keys = np.array([key for _, _, key in line.melody], dtype=float)
    curve = np.full_like(times, keys[0])
    vibrato = np.zeros_like(times)
    for n, onset in enumerate(onsets):
        if n:
            slide = np.clip((times - onset + 0.04) / 0.06, 0.0, 1.0)
            curve += (keys[n] - keys[n - 1]) * slide**2 * (3.0 - 2.0 * slide)
        if line.melody[n][1] >= 1.0:
            until = onset + line.melody[n][1] * BEAT
            depth = np.clip((times - onset - 0.25) / 0.3, 0.0, 1.0) * (times < until)
            vibrato += 0.22 * depth * np.sin(2.0 * np.pi * 5.4 * (times - onset - 0.25))
    return frequency(curve + vibrato)


def sing(line: Line, folder: Path) -> Audio:
    """Sing one line in mono, placed in the whole song: speech moved to the tune by PSOLA."""
    centre = float(np.mean([frequency(key) for _, _, key in line.melody]))
    speech, phones = speak(line.words, centre, folder / "line.wav")
    spoken, sung = time_map(phones, line)
    speech = speech.extract_part(spoken[0], spoken[-1], preserve_times=True)
    manipulation = call(speech, "To Manipulation", 0.005, 90, 500)
    durations = call("Create DurationTier", "stretch", spoken[0], spoken[-1])
    pitches = call("Create PitchTier", "tune", spoken[0], spoken[-1])
    edge = 1e-5
    for left, right, factor in zip(
        spoken[:-1], spoken[1:], np.diff(sung) / np.maximum(np.diff(spoken), 1e-6), strict=True
    ):
        if right - left > 4 * edge:
            call(durations, "Add point", left + edge, factor)
            call(durations, "Add point", right - edge, factor)
    steps = np.arange(sung[0], sung[-1], 0.005)
    for at, hertz in zip(np.interp(steps, sung, spoken), pitch_curve(steps, line), strict=True):
        call(pitches, "Add point", at, hertz)
    call([durations, manipulation], "Replace duration tier")
    call([pitches, manipulation], "Replace pitch tier")
    # Overlap-add draws random periods for the voiceless sounds.
    run(f"seeded = random_initializeWithSeedUnsafelyButPredictably ({SEED})")
    voice = call(manipulation, "Get resynthesis (overlap-add)")
    audio = resample_poly(voice.values[0], RATE, round(voice.sampling_frequency))
    fade = min(len(audio), round(0.03 * RATE))
    audio[-fade:] *= np.linspace(1.0, 0.0, fade)
    placed = np.zeros(LENGTH)
    first = round(sung[0] * RATE)
    audio = audio[: LENGTH - first]
    placed[first : first + len(audio)] = audio
    return placed


def high_pass(audio: Audio, hertz: float) -> Audio:
    """Remove what lies below ``hertz``, without moving anything in time."""
    return sosfiltfilt(butter(2, hertz, "highpass", fs=RATE, output="sos"), audio, axis=0)


def add_air(voice: Audio) -> Audio:
    """Add faint overtones above 7 kHz: the synthesiser's 16 kHz voice has nothing up there."""
    scale = 4.0 / max(float(np.max(np.abs(voice))), 1e-9)
    return voice + 0.25 / scale * high_pass(np.tanh(scale * high_pass(voice, 3_000.0)), 7_500.0)


def level_voice(voice: Audio) -> Audio:
    """Even out loud and quiet syllables, as a compressor would, at about 2:1."""
    window = np.hanning(round(0.12 * RATE))
    power = fftconvolve(voice**2, window / window.sum(), mode="same")
    envelope = np.sqrt(np.maximum(power, 0.0)) + 0.02 * np.sqrt(np.mean(voice**2))
    floor = 0.5 * np.sqrt(np.mean(voice**2))
    return voice * np.maximum(envelope, floor) ** -0.5


def pan(mono: Audio, place: float) -> Audio:
    """Place a mono signal at constant power: -1 is left, 0 the middle, 1 right."""
    angle = (place + 1.0) * np.pi / 4.0
    return np.stack([np.cos(angle) * mono, np.sin(angle) * mono], axis=1)


def lead_voice(folder: Path) -> Audio:
    """Sing all the lines of the tune, in mono and without effects."""
    return np.sum([sing(line, folder) for line in LYRICS], axis=0)


def harmony_voice(folder: Path) -> Audio:
    """Sing the refrain's second voice, in mono and without effects."""
    refrain = LYRICS[-1]
    melody = tuple((beat, length, key) for (beat, length, _), key in zip(refrain.melody, HARMONY_KEYS, strict=True))
    return sing(Line(refrain.words, refrain.start, melody), folder)


# --------------------------------------------------------------------------- the mix


def narrow(audio: Audio, width: float) -> Audio:
    """Bring left and right closer: at a width of 0 they are equal. Narrow stems code smaller."""
    middle = audio.mean(axis=1, keepdims=True)
    return middle + width * (audio - middle)


def trim_highs(audio: Audio, hertz: float) -> Audio:
    """Remove the hiss at the very top, which is hardly heard but costly to store losslessly."""
    return sosfiltfilt(butter(4, hertz, fs=RATE, output="sos"), audio, axis=0)


def reverb(audio: Audio, seconds: float, wet: float, rng: np.random.Generator) -> Audio:
    """Add a light room: decaying noise, a little different left and right."""
    times = np.arange(round(seconds * RATE)) / RATE
    shared, side = rng.standard_normal(len(times)), rng.standard_normal((len(times), 2))
    room = (shared[:, None] + 0.6 * side) * np.exp(-6.9 * times / seconds)[:, None]
    room *= np.clip(times / 0.012, 0.0, 1.0)[:, None]
    low_pass = butter(1, 4_500.0, fs=RATE, output="sos")
    room = high_pass(sosfiltfilt(low_pass, room, axis=0), 250.0)
    room /= np.sqrt(np.sum(room**2, axis=0))
    return audio + wet * fftconvolve(audio, room, axes=0)[: len(audio)]


def render_vocals(folder: Path, rng: np.random.Generator) -> Audio:
    """Render the lead in the middle, the refrain's second voice to the side, and a short room."""
    lead = add_air(level_voice(high_pass(lead_voice(folder), 110.0)))
    second = add_air(level_voice(high_pass(harmony_voice(folder), 110.0)))
    return reverb(pan(lead, 0.0) + 0.4 * pan(second, 0.45), 0.8, 0.16, rng)


def render_drums(folder: Path, rng: np.random.Generator) -> Audio:
    """Render the drum kit, with just enough room to hold it together."""
    kit = Part(humanise(write_drums(), rng), channel=9)
    audio = trim_highs(play(kit, folder), 15_000.0)
    return narrow(reverb(audio, 0.4, 0.06, rng), 0.4)


def render_bass(folder: Path, rng: np.random.Generator) -> Audio:
    """Render the fingered bass as exact mono, dry."""
    audio = play(Part(humanise(write_bass(), rng), program=33), folder)
    return pan(audio.mean(axis=1), 0.0)


def render_other(folder: Path, rng: np.random.Generator) -> Audio:
    """Render piano, steel string guitar and strings, spread from left to right."""
    parts = (
        Part(humanise(write_piano(), rng), program=0, pan=44, volume=96),
        Part(humanise(write_guitar(), rng), program=25, pan=92, volume=112),
        Part(humanise(write_strings(), rng), program=48, pan=60, volume=58),
    )
    audio = np.sum([play(part, folder) for part in parts], axis=0)
    audio = trim_highs(high_pass(audio, 90.0), 13_000.0)
    return narrow(reverb(audio, 0.9, 0.12, rng), 0.6)


def active_rms(audio: Audio) -> float:
    """Return the RMS over the half second blocks in which a stem really plays."""
    block = RATE // 2
    power = np.mean(audio[: len(audio) // block * block].reshape(-1, block * 2) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power > 0.01 * power.max()])))


def set_level(audio: Audio, name: str) -> Audio:
    """Bring a stem to its place in the balance and round off its highest transients."""
    audio = audio / active_rms(audio)
    ceiling = CEILING[name]
    audio = ceiling * np.tanh(audio / ceiling)
    return audio / active_rms(audio) * 10.0 ** (BALANCE_DB[name] / 20.0)


def gate(audio: Audio, threshold_db: float = -62.0) -> Audio:
    """Turn inaudible tails into true silence, with 20 ms fades; FLAC stores that in no space."""
    block = round(0.02 * RATE)
    count = -(-len(audio) // block)
    padded = np.pad(audio, ((0, count * block - len(audio)), (0, 0)))
    power = np.mean(padded.reshape(count, -1) ** 2, axis=1)
    loud = 10.0 * np.log10(power + 1e-12) > threshold_db
    # Stay open one block either side, so that the fades never touch what is heard.
    keep = np.convolve(loud, np.ones(5), mode="same") > 0
    centres = (np.arange(count) + 0.5) * block
    gain = np.interp(np.arange(len(audio)), centres, keep.astype(float))
    return audio * gain[:, None]


def fade_out(audio: Audio, seconds: float = 1.0) -> Audio:
    """Fade the end of the song to nothing."""
    count = round(seconds * RATE)
    gain = np.ones(len(audio))
    gain[-count:] = np.cos(np.linspace(0.0, np.pi / 2.0, count)) ** 2
    return audio * gain[:, None]


def quantise(audio: Audio) -> NDArray[np.int32]:
    """Round to 16 bit steps, kept in wider integers so that sums cannot wrap around."""
    return np.round(audio * 32_767.0).astype(np.int32)


def render_stems() -> dict[str, NDArray[np.int32]]:
    """Render, balance and quantise the four stems."""
    renderers = dict(zip(STEMS, (render_vocals, render_drums, render_bass, render_other), strict=True))
    stems: dict[str, Audio] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed, (name, render) in enumerate(renderers.items(), start=SEED):
            raw = render(Path(folder), np.random.default_rng(seed))
            stems[name] = fade_out(set_level(raw, name))
    scale = MIX_PEAK / float(np.max(np.abs(sum(stems.values()))))
    return {name: quantise(gate(scale * stem)) for name, stem in stems.items()}


def save(name: str, samples: NDArray[np.int32]) -> None:
    """Write one FLAC file, refusing anything that 16 bits cannot hold."""
    assert samples.shape == (LENGTH, 2)
    assert np.abs(samples).max() <= 32_767, f"{name} is clipped"
    path = HERE / f"{name}.flac"
    sf.write(path, samples.astype(np.int16), RATE, subtype="PCM_16", compression_level=1.0)


def report(name: str, samples: NDArray[np.int32]) -> None:
    """Print a file's peak, its RMS level over the whole song, and its size."""
    signal = samples / 32_768.0
    rms = 10.0 * np.log10(np.mean(signal**2))
    size = (HERE / f"{name}.flac").stat().st_size
    print(f"{name:8} peak {np.abs(signal).max():.3f}  RMS {rms:6.1f} dBFS  {size:9,d} bytes")


def main() -> None:
    """Write the stems and their exact sum, read them back, and check that they still add up."""
    stems = render_stems()
    for name, samples in stems.items():
        save(name, samples)
    save("mixture", np.sum(list(stems.values()), axis=0, dtype=np.int32))
    stored = {name: sf.read(HERE / f"{name}.flac", dtype="int16")[0].astype(np.int32) for name in ("mixture", *STEMS)}
    assert np.array_equal(stored["mixture"], sum(stored[name] for name in STEMS))
    for name, samples in stored.items():
        report(name, samples)


if __name__ == "__main__":
    main()
