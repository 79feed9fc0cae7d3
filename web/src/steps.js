/**
 * Samples as whole steps of 16 bits, full scale 32768. Estimates are rounded to steps and the last stem is what they
 * leave of the mixture's, so that all stems sum to it exactly.
 */

export const FULL_SCALE = 32768;
const LOW = -FULL_SCALE;
const HIGH = FULL_SCALE - 1;
const TO_WHOLE = 1.5 * 2 ** 52; // added and taken away again, it rounds as IEEE 754 and NumPy do: halves to even
const NEARLY = 0.01;

const round = (value) => value + TO_WHOLE - TO_WHOLE;
const clip = (value, low, high) => (value < low ? low : value > high ? high : value);

/**
 * A decoded channel as steps. Some browsers decode 16-bit samples so that positive ones are divided by 32767: these,
 * too, get their own steps back.
 *
 * @param {Float32Array} samples
 * @returns {Int16Array}
 */
export function toSteps(samples) {
  const positive = isWhole(samples, FULL_SCALE) || !isWhole(samples, HIGH) ? FULL_SCALE : HIGH;
  const steps = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    steps[i] = clip(round(samples[i] * (samples[i] > 0 ? positive : FULL_SCALE)), LOW, HIGH);
  }
  return steps;
}

function isWhole(samples, positive) {
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i] * (samples[i] > 0 ? positive : FULL_SCALE);
    if (Math.abs(value - round(value)) > NEARLY) return false;
  }
  return true;
}

/**
 * Estimates as steps, such that they and what they leave of the mixture are all within full scale: what one stem cannot
 * hold is taken by the others, the last one first.
 *
 * @param {Int16Array} mixture steps of one channel.
 * @param {Float32Array[]} estimates of all stems but the last, full scale 1, as long.
 * @returns {Int16Array[]} steps of each estimate.
 */
export function split(mixture, estimates) {
  const steps = estimates.map((estimate) => new Int16Array(estimate.length));
  const stems = new Float64Array(estimates.length + 1);
  for (let i = 0; i < mixture.length; i++) {
    let rest = mixture[i];
    for (let s = 0; s < estimates.length; s++) rest -= stems[s] = round(estimates[s][i] * FULL_SCALE);
    stems[estimates.length] = rest;
    clamp(stems, mixture[i]);
    for (let s = 0; s < estimates.length; s++) steps[s][i] = stems[s];
  }
  return steps;
}

function clamp(stems, mixture) {
  let excess = mixture;
  for (let s = 0; s < stems.length; s++) excess -= stems[s] = clip(stems[s], LOW, HIGH);
  for (let s = stems.length - 1; excess !== 0 && s >= 0; s--) {
    const taken = clip(excess, LOW - stems[s], HIGH - stems[s]);
    stems[s] += taken;
    excess -= taken;
  }
}
