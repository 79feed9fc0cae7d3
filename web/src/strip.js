import { draw, Peaks } from "./waveform.js";

const DRAG_PIXELS = 5;

/** One stem's row: mute, solo, volume, meter and waveform. */
export class Strip {
  isMuted = false;
  isSolo = false;

  /**
   * @param {string} target the stem's name.
   * @param {number} length samples of the song.
   * @param {object} on what is told to the song: `changed()`, `seek(share)`, `loop(from, to)` in shares of the song,
   *   `save()`.
   */
  constructor(target, length, on) {
    this.target = target;
    this.peaks = new Peaks(length);
    this.row = document.getElementById("stem").content.firstElementChild.cloneNode(true);
    this.row.dataset.stem = target;
    for (const name of ["mute", "solo", "save", "volume", "wave", "meter"])
      this[name] = this.row.querySelector(`.${name}`);
    this.canvas = this.row.querySelector("canvas");
    this.head = this.row.querySelector(".head");
    this.region = this.row.querySelector(".region");
    this.#name();
    this.mute.onclick = () => this.#set({ isMuted: !this.isMuted }, on);
    this.solo.onclick = () => this.#set({ isSolo: !this.isSolo }, on);
    this.volume.oninput = () => on.changed();
    this.save.onclick = () => on.save();
    this.#follow(on);
  }

  #name() {
    this.row.querySelector("h3").textContent = this.target;
    this.mute.setAttribute("aria-label", `Mute ${this.target}`);
    this.solo.setAttribute("aria-label", `Solo ${this.target}`);
    this.volume.setAttribute("aria-label", `Volume of ${this.target}`);
    this.save.setAttribute("aria-label", `Save ${this.target} as WAV`);
  }

  #set(values, on) {
    this.show(values);
    on.changed();
  }

  /** Set `isMuted`, `isSolo` or both. */
  show(values) {
    Object.assign(this, values);
    this.mute.setAttribute("aria-pressed", this.isMuted);
    this.solo.setAttribute("aria-pressed", this.isSolo);
  }

  /** What the stem is multiplied with, where `solo` says whether any stem is alone. */
  gain(solo) {
    return (solo ? this.isSolo : !this.isMuted) ? Number(this.volume.value) : 0;
  }

  /** A click on the waveform goes there, a drag chooses what is played again and again. */
  #follow(on) {
    let from = null;
    const share = (event) => {
      const { left, width } = this.wave.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - left) / width));
    };
    this.wave.onpointerdown = (event) => {
      from = { x: event.clientX, share: share(event) };
      this.wave.setPointerCapture(event.pointerId);
    };
    this.wave.onpointermove = (event) => {
      if (from && Math.abs(event.clientX - from.x) > DRAG_PIXELS)
        on.loop(...[from.share, share(event)].sort((a, b) => a - b));
    };
    this.wave.onpointerup = (event) => {
      if (from && Math.abs(event.clientX - from.x) <= DRAG_PIXELS) on.seek(share(event));
      from = null;
    };
    this.wave.onpointercancel = () => (from = null);
  }

  paint(mixture) {
    draw(this.canvas, mixture, this.peaks);
  }

  /** Show where the song is, as a share of it, what is repeated, and how loud the stem is. */
  follow(place, loop, level) {
    this.head.style.left = `${100 * place}%`;
    this.meter.value = level;
    this.region.hidden = !loop;
    if (!loop) return;
    this.region.style.left = `${100 * loop[0]}%`;
    this.region.style.width = `${100 * (loop[1] - loop[0])}%`;
  }
}
