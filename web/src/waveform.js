const BINS = 1200;
const BAR_PIXELS = 2;
const GAP_PIXELS = 1;

/** The highest samples of a channel group in each of `BINS` equal parts of a song. */
export class Peaks {
  /** @param {number} length samples of the song. */
  constructor(length) {
    this.length = length;
    this.values = new Float32Array(BINS);
  }

  /** Take in the samples from `start` on. */
  add(start, steps) {
    const perSample = BINS / this.length;
    for (let i = 0; i < steps.length; i++) {
      const bin = Math.min(BINS - 1, Math.floor((start + i) * perSample));
      const height = Math.abs(steps[i]) / 32768;
      if (height > this.values[bin]) this.values[bin] = height;
    }
  }
}

/**
 * Draw a stem over its mixture: where the stem is separated, in the canvas' colour.
 *
 * @param {HTMLCanvasElement} canvas its CSS colour is the stem's, its `--faint` the mixture's.
 * @param {Peaks} mixture
 * @param {Peaks} stem
 */
export function draw(canvas, mixture, stem) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const style = getComputedStyle(canvas);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  bars(context, mixture.values, width, height, style.getPropertyValue("--faint"));
  bars(context, stem.values, width, height, style.color);
}

function bars(context, values, width, height, colour) {
  context.fillStyle = colour;
  const count = Math.floor(width / (BAR_PIXELS + GAP_PIXELS));
  for (let bar = 0; bar < count; bar++) {
    const bins = values.subarray((bar * BINS) / count, Math.ceil(((bar + 1) * BINS) / count));
    const highest = bins.reduce((high, value) => Math.max(high, value), 0);
    const size = Math.max(highest ** 0.7 * height, highest ? 1 : 0); // quiet stems are seen, too
    context.fillRect(bar * (BAR_PIXELS + GAP_PIXELS), (height - size) / 2, BAR_PIXELS, size);
  }
}
