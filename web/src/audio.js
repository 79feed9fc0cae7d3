import { Fault } from "./fault.js";
import { workers } from "./separation.js";
import { toSteps } from "./steps.js";

const FORMATS = {
  WAV: "audio/wav",
  FLAC: "audio/flac",
  MP3: "audio/mpeg",
  "M4A (AAC)": 'audio/mp4; codecs="mp4a.40.2"',
  "Ogg Vorbis": 'audio/ogg; codecs="vorbis"',
  Opus: 'audio/ogg; codecs="opus"',
  WebM: 'audio/webm; codecs="opus"',
};

const MEGABYTE = 1e6;
const WORKER_BYTES = 85 * MEGABYTE;
const SMALLEST_BYTES_PER_SECOND = 8000; // 64 kbit/s: how long a file may be that does not tell
const SHARE = 0.25; // of the device's memory that a page may take
const SUSPECTED_GIGABYTES = 4; // where the browser does not tell

/**
 * A file as steps of 16 bits at the model's rate.
 *
 * @param {Blob} file
 * @param {number} sampleRate
 * @returns {Promise<Int16Array[]>} its channels.
 * @throws {Fault} it is too long for this device, or this browser cannot decode it.
 */
export async function decode(file, sampleRate) {
  refuseTooLong(file, await duration(file), sampleRate);
  let decoded;
  try {
    decoded = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(await file.arrayBuffer());
  } catch {
    const known = formats().join(", ");
    throw new Fault(`${name(file)}: this browser cannot decode it. It can decode ${known}; is it one, and whole?`);
  }
  if (!decoded.length) throw new Fault(`${name(file)}: holds no audio.`);
  return Array.from({ length: decoded.numberOfChannels }, (_, channel) => toSteps(decoded.getChannelData(channel)));
}

const name = (file) => file.name || "The recording";

function formats() {
  const player = document.createElement("audio");
  return Object.keys(FORMATS).filter((format) => player.canPlayType(FORMATS[format]));
}

/** Seconds of a file as its header tells them; null if it does not. */
function duration(file) {
  const player = document.createElement("audio");
  const address = URL.createObjectURL(file);
  return new Promise((resolve) => {
    player.onloadedmetadata = () => resolve(Number.isFinite(player.duration) ? player.duration : null);
    player.onerror = () => resolve(null);
    player.preload = "metadata";
    player.src = address;
  }).finally(() => {
    player.removeAttribute("src");
    URL.revokeObjectURL(address);
  });
}

/** Refuse before it is decoded what would end the page for want of memory. */
function refuseTooLong(file, told, sampleRate) {
  const seconds = told ?? file.size / SMALLEST_BYTES_PER_SECOND;
  const room = SHARE * 1e9 * (navigator.deviceMemory ?? SUSPECTED_GIGABYTES) - workers() * WORKER_BYTES;
  // Two channels decoded as float32, the mixture and three stems in 16 bits, and the file itself.
  const bytesPerSecond = sampleRate * 2 * (4 + 4 * 2);
  if (seconds * bytesPerSecond + file.size <= room) return;
  const most = Math.max(1, Math.floor((room - file.size) / bytesPerSecond / 60));
  const length = `${told ? "" : "perhaps "}${Math.ceil(seconds / 60)} minutes`;
  throw new Fault(
    `${name(file)}: ${length} are too long for this device's memory, which holds about ${most}. ` +
      "The command `tfwavesep separate` takes any length.",
  );
}

/**
 * The rate that a WAV or FLAC file has, in Hz; null if it is another kind of file.
 *
 * @param {Blob} file
 */
export async function ownRate(file) {
  const view = new DataView(await file.slice(0, 64).arrayBuffer());
  const starts = (letters) =>
    view.byteLength >= 28 && [...letters].every((letter, i) => view.getUint8(i) === letter.charCodeAt(0));
  if (starts("RIFF")) return view.getUint32(24, true); // where nothing stands before the format, as is usual
  if (starts("fLaC")) return view.getUint32(18) >>> 12;
  return null;
}
