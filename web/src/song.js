import { saveAll, saveMix, saveStem } from "./downloads.js";
import * as grid from "./grid.js";
import { Player } from "./player.js";
import { Stems } from "./stems.js";
import { Strip } from "./strip.js";
import { clock, stem as withoutEnding } from "./text.js";
import { Peaks } from "./waveform.js";

const JUMP_SECONDS = 5;

const element = (id) => document.getElementById(id);

/** A song on the page, from its decoding to its stems. */
export class Song {
  /**
   * @param {string} name of the file.
   * @param {Int16Array[]} mixture steps by channel.
   * @param {object} model
   * @param {(text: string) => void} announce to those who do not see the page.
   */
  constructor(name, mixture, model, announce) {
    this.name = withoutEnding(name);
    this.model = model;
    this.announce = announce;
    this.stems = new Stems(mixture, model);
    this.player = new Player(this.stems, model.sampleRate);
    this.peaks = new Peaks(this.stems.length);
    for (const channel of mixture) this.peaks.add(0, channel);
    this.strips = model.targets.map((target, stem) => this.#strip(target, stem));
    this.#wire();
    this.paint();
    this.#changed();
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #frame;
  #began;

  #strip(target, stem) {
    const { length } = this.stems;
    return new Strip(target, length, {
      changed: () => this.#changed(),
      seek: (share) => (this.player.place = share * length),
      loop: (from, to) => this.#repeat([Math.round(from * length), Math.round(to * length)]),
      save: () => saveStem(this.stems, stem, this.model.sampleRate, this.name),
    });
  }

  #wire() {
    element("name").textContent = this.name;
    element("stems").replaceChildren(...this.strips.map((strip) => strip.row));
    element("karaoke").hidden = !this.model.targets.includes("vocals");
    element("place").max = this.seconds;
    element("place").oninput = (event) => (this.player.place = event.target.value * this.model.sampleRate);
    element("play").onclick = () => this.togglePlay();
    element("loop").onclick = () => this.toggleLoop();
    element("karaoke").onclick = () => this.toggleKaraoke();
    element("mix").onclick = () => saveMix(this.stems, this.gains, this.model.sampleRate, this.name);
    element("all").onclick = () => saveAll(this.stems, this.model.sampleRate, this.name);
    this.#saveable(false);
  }

  get seconds() {
    return this.stems.length / this.model.sampleRate;
  }

  /**
   * Separate it.
   *
   * @param {import("./separation.js").Pool} pool
   * @returns {Promise<boolean>} whether it came to its end, or else was cancelled.
   */
  async separate(pool) {
    this.#began = performance.now();
    this.#progress();
    this.announce(`Separating ${this.name}`);
    const ended = await pool.separate(
      this.stems,
      () => this.player.place,
      (k) => this.#separated(k),
    );
    if (ended) this.#ended();
    return ended;
  }

  #separated(k) {
    const { start, stop } = grid.segment(k, this.stems.length, this.model);
    for (const [stem, strip] of this.strips.entries()) {
      for (let channel = 0; channel < this.stems.channels; channel++) {
        strip.peaks.add(start, this.stems.read(stem, channel, start, stop));
      }
    }
    if (this.stems.done.filter(Boolean).length === 1) this.announce("The first stems can be heard");
    this.paint();
    this.#progress();
  }

  #progress() {
    const separated = this.stems.separated / this.model.sampleRate;
    const spent = (performance.now() - this.#began) / 1000;
    const left = separated ? Math.ceil((spent * (this.seconds - separated)) / separated) : null;
    element("progress").max = this.seconds;
    element("progress").value = separated;
    element("told").textContent = separated
      ? `${clock(separated)} of ${clock(this.seconds)} separated, about ${left} s left`
      : "Preparing the network…";
    element("work").dataset.state = "running";
  }

  #ended() {
    const spent = (performance.now() - this.#began) / 1000;
    const text = `${clock(this.seconds)} separated in ${spent.toFixed(1)} s`;
    element("told").textContent = text;
    element("work").dataset.state = "done";
    this.announce(text);
    this.#saveable(true);
  }

  #saveable(may) {
    for (const button of document.querySelectorAll("#song .save, #mix, #all")) button.disabled = !may;
  }

  /** What each stem is multiplied with. */
  get gains() {
    const solo = this.strips.some((strip) => strip.isSolo);
    return this.strips.map((strip) => strip.gain(solo));
  }

  get #isKaraoke() {
    return this.strips.every((strip) => !strip.isSolo && strip.isMuted === (strip.target === "vocals"));
  }

  #changed() {
    this.player.gains = this.gains;
    this.strips.forEach((strip, stem) => strip.row.classList.toggle("silent", !this.gains[stem]));
    element("karaoke").setAttribute("aria-pressed", this.#isKaraoke);
  }

  async togglePlay() {
    if (this.player.isPlaying) this.player.pause();
    else await this.player.play();
  }

  /** Hear all but the voice; or all again. */
  toggleKaraoke() {
    const on = !this.#isKaraoke;
    for (const strip of this.strips) strip.show({ isMuted: on && strip.target === "vocals", isSolo: false });
    this.#changed();
  }

  toggleMute(stem) {
    this.strips[stem]?.mute.click();
  }

  toggleSolo(stem) {
    this.strips[stem]?.solo.click();
  }

  toggleLoop() {
    this.#repeat(this.player.loop ? null : [0, this.stems.length]);
  }

  /** Repeat from here on, or up to here. */
  loopFrom() {
    this.#repeat([this.player.place, this.player.loop?.[1] ?? this.stems.length]);
  }

  loopTo() {
    this.#repeat([this.player.loop?.[0] ?? 0, this.player.place]);
  }

  #repeat(loop) {
    const places = loop?.map(Math.round);
    const isLong = places && places[1] - places[0] >= this.model.sampleRate / 10;
    this.player.loop = isLong ? places : null;
    element("loop").setAttribute("aria-pressed", Boolean(isLong));
  }

  jump(direction) {
    this.player.place += direction * JUMP_SECONDS * this.model.sampleRate;
  }

  paint() {
    for (const strip of this.strips) strip.paint(this.peaks);
  }

  /** Show, frame by frame, what is heard. */
  #follow() {
    const { player, stems } = this;
    const seconds = player.place / this.model.sampleRate;
    const loop = player.loop?.map((place) => place / stems.length);
    this.strips.forEach((strip, stem) =>
      strip.follow(player.place / stems.length, loop, player.isPlaying ? player.level(stem) : 0),
    );
    element("place").value = seconds;
    this.#tell(`${clock(seconds)} / ${clock(this.seconds)}`);
    const play = element("play");
    play.dataset.state = player.isWaiting ? "waiting" : player.isPlaying ? "playing" : "paused";
    play.setAttribute("aria-label", player.isPlaying ? "Pause" : "Play");
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  /** Show the time, where it has changed: screen readers say what is set. */
  #tell(time) {
    if (element("time").textContent === time) return;
    element("time").textContent = time;
    element("place").setAttribute("aria-valuetext", time.replace("/", "of"));
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.player.close();
  }
}
