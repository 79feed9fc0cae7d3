import { downloadZip } from "client-zip";

import { mixFile, stemFile } from "./wav.js";

/** Give one stem to the user as a file. */
export function saveStem(stems, stem, sampleRate, name) {
  save(stemFile(stems, stem, sampleRate), `${name} - ${stems.targets[stem]}.wav`);
}

/** Give what is heard, the stems times their gains. */
export function saveMix(stems, gains, sampleRate, name) {
  save(mixFile(stems, gains, sampleRate), `${name} - mix.wav`);
}

/** Give all stems, in a folder in a ZIP file. */
export async function saveAll(stems, sampleRate, name) {
  const files = stems.targets.map((target, stem) => ({
    name: `${name}/${target}.wav`,
    make: () => stemFile(stems, stem, sampleRate),
  }));
  save(await gathered(downloadZip(made(files)).body), `${name} - stems.zip`);
}

/** A stream as one Blob. `Response.blob()` keeps it on disk, where a full one makes it fail. */
async function gathered(stream) {
  const parts = [];
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  return new Blob(parts);
}

function* made(files) {
  for (const { name, make } of files) yield { name, input: make() };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
