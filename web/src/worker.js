/** Runs the network on one segment at a time. A classic worker: the runtime's program comes by importScripts. */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

import { groups } from "./grid.js";
import { FULL_SCALE, split } from "./steps.js";

let model, network;

self.onmessage = async ({ data: { kind, ...message } }) => {
  try {
    if (kind === "open") await open(message);
    else await separate(message);
  } catch (error) {
    self.postMessage({ kind: "failed", job: message.job, reason: String(error?.message ?? error) });
  }
};

/** Load the runtime from `program` and the network from `file`, and run it once, as the first run is slow. */
async function open({ program, file, about }) {
  // It would look beside this script, and tell as errors what it does; what goes wrong is an exception.
  self.Module = { locateFile: (name) => new URL(name, program).href, printErr: () => {} };
  await loadLiteRt(program);
  model = about;
  network = await loadAndCompile(new Uint8Array(file), { accelerator: "wasm" });
  await run(new Float32Array(model.inputLength * model.channels));
  self.postMessage({ kind: "ready" });
}

async function run(samples) {
  const mixture = new Tensor(samples, [1, model.inputLength, model.channels]);
  const [stems] = await network.run(mixture);
  const estimates = stems.toTypedArray().slice();
  mixture.delete();
  stems.delete();
  return estimates; // (stems, time, channels)
}

/** A segment's mixture, steps by channel, to the steps of its estimates, by estimate and channel. */
async function separate({ job, k, mixture }) {
  const estimated = model.targets.length - 1;
  const estimates = Array.from({ length: estimated }, () => mixture.map(() => null));
  for (const group of groups(mixture.length, model.channels)) {
    const found = await run(interleave(group.map((channel) => mixture[channel])));
    for (const channel of new Set(group)) {
      const places = group.flatMap((each, place) => (each === channel ? [place] : []));
      for (let stem = 0; stem < estimated; stem++) estimates[stem][channel] = take(found, stem, places);
    }
  }
  const { context, targetLength } = model;
  const byChannel = mixture.map((steps, channel) =>
    split(
      steps.subarray(context, context + targetLength),
      estimates.map((channels) => channels[channel]),
    ),
  );
  const steps = estimates.map((_, stem) => byChannel.map((stems) => stems[stem]));
  self.postMessage(
    { kind: "separated", job, k, steps },
    steps.flat().map((each) => each.buffer),
  );
}

function interleave(channels) {
  const samples = new Float32Array(channels[0].length * channels.length);
  channels.forEach((steps, place) => {
    for (let i = 0; i < steps.length; i++) samples[i * channels.length + place] = steps[i] / FULL_SCALE;
  });
  return samples;
}

/** One stem of one channel; where the network saw the channel twice, the mean of both. */
function take(found, stem, places) {
  const { channels, targetLength } = model;
  const start = stem * targetLength * channels;
  const [first, last] = [start + places[0], start + places.at(-1)];
  const taken = new Float32Array(targetLength);
  for (let i = 0; i < targetLength; i++) {
    taken[i] = Math.fround(found[first + i * channels] + found[last + i * channels]) / 2; // exact where both are one
  }
  return taken;
}
