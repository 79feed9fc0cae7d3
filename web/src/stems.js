import * as grid from "./grid.js";

/**
 * A song's mixture and stems as steps of 16 bits. Kept are the mixture and all stems but the last, which is what they
 * leave of it.
 */
export class Stems {
  /**
   * @param {Int16Array[]} mixture its channels.
   * @param {{targets: string[], targetLength: number}} model
   */
  constructor(mixture, model) {
    this.mixture = mixture;
    this.targets = model.targets;
    this.length = mixture[0].length;
    this.channels = mixture.length;
    this.targetLength = model.targetLength;
    this.estimates = model.targets.slice(1).map(() => mixture.map(() => new Int16Array(this.length)));
    this.done = new Array(grid.count(this.length, model)).fill(false);
  }

  /** Take in what segment `k` yields: steps by estimate and channel. */
  put(k, steps) {
    const start = k * this.targetLength;
    steps.forEach((channels, stem) =>
      channels.forEach((samples, channel) =>
        this.estimates[stem][channel].set(samples.subarray(0, this.length - start), start),
      ),
    );
    this.done[k] = true;
  }

  /** Samples that are separated. */
  get separated() {
    return this.done.reduce((sum, done, k) => sum + (done ? this.#stop(k) - k * this.targetLength : 0), 0);
  }

  get isComplete() {
    return this.done.every(Boolean);
  }

  /** The sample up to which everything from `place` on is separated; `place` itself if nothing is. */
  readyUntil(place) {
    let k = Math.floor(place / this.targetLength);
    while (this.done[k]) k++;
    return Math.min(Math.max(place, k * this.targetLength), this.length);
  }

  /** One channel of one stem, steps from `from` up to `to`. */
  read(stem, channel, from, to) {
    if (stem < this.estimates.length) return this.estimates[stem][channel].subarray(from, to);
    const rest = this.mixture[channel].slice(from, to);
    for (const estimate of this.estimates) {
      const steps = estimate[channel];
      for (let i = 0; i < rest.length; i++) rest[i] -= steps[from + i];
    }
    return rest;
  }

  #stop(k) {
    return Math.min((k + 1) * this.targetLength, this.length);
  }
}
