/**
 * Plays stems together on one clock, as far as they are separated; waits where they are not yet.
 *
 * Short pieces of all stems are scheduled a little ahead, each for the same instant: stems cannot get out of step.
 */

const PIECE_SECONDS = 0.25;
const AHEAD_SECONDS = 1.5; // more than the second that a hidden page's timers may take
const START_SECONDS = 0.05;
const TICK_MILLISECONDS = 100;
const GLIDE_SECONDS = 0.01; // gains move so fast, without a click

export class Player {
  /** Of a stem in its loop, what is scheduled: `{at, place, length, sources}`, `at` in the context's frames. */
  #pieces = [];
  #place = 0;
  #timer = null;
  #loop = null;

  /**
   * @param {import("./stems.js").Stems} stems
   * @param {number} sampleRate
   */
  constructor(stems, sampleRate) {
    this.stems = stems;
    this.sampleRate = sampleRate;
    this.context = new AudioContext({ sampleRate });
    this.lines = stems.targets.map(() => this.#line());
  }

  #line() {
    const gain = this.context.createGain();
    const meter = this.context.createAnalyser();
    meter.fftSize = 1024;
    gain.connect(meter).connect(this.context.destination);
    return { gain, meter, samples: new Float32Array(meter.fftSize) };
  }

  get isPlaying() {
    return this.#timer !== null;
  }

  /** Whether it would play, and waits for what is not separated yet. */
  get isWaiting() {
    return this.isPlaying && !this.#pieces.some((piece) => this.#end(piece) > this.#now);
  }

  /** The sample that is heard. */
  get place() {
    const heard = this.#pieces.findLast((piece) => piece.at <= this.#now);
    return heard ? Math.min(heard.place + this.#now - heard.at, heard.place + heard.length) : this.#place;
  }

  set place(place) {
    this.#forget();
    this.#place = Math.max(0, Math.min(Math.round(place), this.stems.length));
    if (this.isPlaying) this.#schedule();
  }

  /** The samples from which and up to which is played again and again, or null. */
  get loop() {
    return this.#loop;
  }

  set loop(loop) {
    this.#loop = loop;
    const here = this.place;
    this.place = loop && (here < loop[0] || here >= loop[1]) ? loop[0] : here;
  }

  async play() {
    if (this.isPlaying) return;
    if (this.#place >= this.stems.length) this.#place = 0;
    this.#timer = setInterval(() => this.#tick(), TICK_MILLISECONDS);
    await this.context.resume();
    this.#schedule();
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#place = this.place;
    this.#forget();
  }

  close() {
    this.pause();
    this.context.close();
  }

  /** @param {number[]} gains of the stems. */
  set gains(gains) {
    gains.forEach((gain, stem) =>
      this.lines[stem].gain.gain.setTargetAtTime(gain, this.context.currentTime, GLIDE_SECONDS),
    );
  }

  /** The highest sample that is heard of a stem just now, full scale 1. */
  level(stem) {
    const { meter, samples } = this.lines[stem];
    meter.getFloatTimeDomainData(samples);
    return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  }

  get #now() {
    return this.context.currentTime * this.sampleRate;
  }

  #end(piece) {
    return piece.at + piece.length;
  }

  #tick() {
    this.#place = this.place;
    if (this.#place >= this.stems.length) this.pause();
    else this.#schedule();
  }

  #schedule() {
    this.#pieces = this.#pieces.filter((piece) => this.#end(piece) > this.#now - this.sampleRate);
    const soon = Math.ceil(this.#now + START_SECONDS * this.sampleRate);
    for (;;) {
      const last = this.#pieces.at(-1);
      const at = Math.max(soon, last ? this.#end(last) : 0);
      if (at > this.#now + AHEAD_SECONDS * this.sampleRate) return;
      const from = last ? this.#after(last) : this.#place;
      const to = this.#stop(from);
      if (to <= from) return; // the song's end, or not separated yet
      this.#pieces.push({ at, place: from, length: to - from, sources: this.#start(at, from, to) });
    }
  }

  /** The sample that follows a piece. */
  #after(piece) {
    const place = piece.place + piece.length;
    return this.#loop && place === this.#loop[1] ? this.#loop[0] : place;
  }

  #stop(from) {
    const to = Math.min(from + Math.round(PIECE_SECONDS * this.sampleRate), this.stems.readyUntil(from));
    return this.#loop && from < this.#loop[1] ? Math.min(to, this.#loop[1]) : to;
  }

  #start(at, from, to) {
    return this.lines.map((line, stem) => {
      const source = this.context.createBufferSource();
      source.buffer = this.#buffer(stem, from, to);
      source.connect(line.gain);
      source.start(at / this.sampleRate);
      return source;
    });
  }

  #buffer(stem, from, to) {
    const buffer = this.context.createBuffer(this.stems.channels, to - from, this.sampleRate);
    for (let channel = 0; channel < this.stems.channels; channel++) {
      const steps = this.stems.read(stem, channel, from, to);
      buffer.copyToChannel(
        Float32Array.from(steps, (step) => step / 32768),
        channel,
      );
    }
    return buffer;
  }

  /** Take back what is scheduled. */
  #forget() {
    for (const { sources } of this.#pieces) for (const source of sources) source.stop();
    this.#pieces = [];
  }
}
