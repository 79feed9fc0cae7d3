import { Fault } from "./fault.js";
import * as grid from "./grid.js";
import { program } from "./program.js";

const MOST_WORKERS = 4; // each takes about 85 MB

/** How many segments this machine separates at the same time. */
export function workers() {
  return Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 2));
}

/** The workers, each with the network; they are kept from song to song. */
export class Pool {
  #idle = [];
  #all = [];
  #opening = null;
  #job = 0;
  #next = null;
  #done = null;
  #cancelled = null;
  #failed = null;

  /** @param {{file: ArrayBuffer}} model */
  constructor(model) {
    this.model = model;
  }

  /**
   * Separate a song.
   *
   * @param {import("./stems.js").Stems} stems is filled.
   * @param {() => number} place the sample that is wanted first.
   * @param {(k: number) => void} separated is told of each segment.
   * @returns {Promise<boolean>} whether it came to its end, or else was cancelled.
   * @throws {Fault} the network cannot run, or stopped.
   */
  separate(stems, place, separated) {
    const job = ++this.#job;
    const asked = new Set();
    return new Promise((resolve, reject) => {
      this.#failed = (reason) => {
        reject(new Fault(reason));
        this.close();
      };
      this.#cancelled = () => resolve(false);
      this.#next = () => {
        const k = first(stems, asked, place());
        if (k !== null) asked.add(k);
        return k === null ? null : { job, k, mixture: window(stems, k, this.model) };
      };
      this.#done = (message) => {
        if (message.job !== this.#job) return; // of a song that was given up
        stems.put(message.k, message.steps);
        separated(message.k);
        if (stems.isComplete) resolve(true);
      };
      this.#opening ??= this.#open();
      this.#opening.catch((error) => this.#failed?.(error.message));
      this.#feed();
    });
  }

  /** Give up the song; what is under way is not waited for. */
  cancel() {
    this.#job++;
    this.#next = null;
    this.#cancelled?.();
  }

  /** End the workers; the next song gets new ones. */
  close() {
    this.cancel();
    this.#failed = null;
    for (const worker of this.#all) worker.terminate();
    this.#all = [];
    this.#idle = [];
    this.#opening = null;
  }

  async #open() {
    const address = await program(document.baseURI);
    for (let i = 0; i < workers(); i++) this.#all.push(this.#worker(address));
  }

  #worker(address) {
    const worker = new Worker(new URL("worker.js", document.baseURI));
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#failed?.(`The separation stopped: ${event.message || "a worker could not be started"}. Try again.`);
    };
    worker.onmessage = ({ data }) => {
      if (data.kind === "failed") {
        this.#failed?.(`The network cannot run in this browser: ${data.reason}`);
        return;
      }
      if (data.kind === "separated") this.#done?.(data);
      this.#idle.push(worker);
      this.#feed();
    };
    const { file, ...about } = this.model;
    worker.postMessage({ kind: "open", program: address, file, about });
    return worker;
  }

  #feed() {
    while (this.#idle.length && this.#next) {
      const task = this.#next();
      if (!task) return;
      this.#idle.pop().postMessage(
        { kind: "separate", ...task },
        task.mixture.map((steps) => steps.buffer),
      );
    }
  }
}

/** The first segment that nobody was asked for, from where the listener is, then from the song's start. */
function first(stems, asked, place) {
  const count = stems.done.length;
  const here = Math.min(count - 1, Math.floor(place / stems.targetLength));
  for (let i = 0; i < count; i++) {
    const k = (here + i) % count;
    if (!asked.has(k)) return k;
  }
  return null;
}

function window(stems, k, model) {
  const { from, to } = grid.segment(k, stems.length, model);
  return stems.mixture.map((channel) => grid.cut(channel, from, to));
}
