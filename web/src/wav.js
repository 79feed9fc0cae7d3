import { FULL_SCALE } from "./steps.js";

const PIECE = 1 << 18; // samples that are interleaved at a time

/** A 16-bit WAV file of one stem. */
export function stemFile(stems, stem, sampleRate) {
  return wav(stems, sampleRate, (channel, from, to) => stems.read(stem, channel, from, to));
}

/** A 16-bit WAV file of all stems, each times its gain; cut at full scale. */
export function mixFile(stems, gains, sampleRate) {
  return wav(stems, sampleRate, (channel, from, to) => mix(stems, gains, channel, from, to));
}

function mix(stems, gains, channel, from, to) {
  const sum = new Float64Array(to - from);
  gains.forEach((gain, stem) => {
    if (!gain) return;
    const steps = stems.read(stem, channel, from, to);
    for (let i = 0; i < sum.length; i++) sum[i] += gain * steps[i];
  });
  return Int16Array.from(sum, (value) => Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(value))));
}

function wav({ channels, length }, sampleRate, read) {
  const parts = [header(channels, length, sampleRate)];
  for (let from = 0; from < length; from += PIECE) {
    const to = Math.min(from + PIECE, length);
    const piece = new Int16Array((to - from) * channels);
    for (let channel = 0; channel < channels; channel++) {
      const steps = read(channel, from, to);
      for (let i = 0; i < steps.length; i++) piece[i * channels + channel] = steps[i];
    }
    parts.push(piece); // little-endian, as every browser's arrays are
  }
  return new Blob(parts, { type: "audio/wav" });
}

function header(channels, length, sampleRate) {
  const bytes = length * channels * 2;
  const view = new DataView(new ArrayBuffer(44));
  const text = (place, letters) => [...letters].forEach((c, i) => view.setUint8(place + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // whole steps
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return view;
}
