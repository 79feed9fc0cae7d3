/**
 * How a song is cut: segment `k` yields the samples `k * targetLength` up to `(k + 1) * targetLength`, and takes
 * `context` more before them and `lookahead` after. Neighbours are real; zeros stand only before the song's start and
 * beyond its end.
 */

/** Segments of a song of `length` samples. */
export function count(length, { targetLength }) {
  return Math.ceil(length / targetLength);
}

/**
 * Where segment `k` of a song of `length` samples begins and ends.
 *
 * @returns {{start: number, stop: number, from: number, to: number}} samples of the song: those it yields, from
 *   `start` up to `stop`; and those it takes, from `from` up to `to`, where some may lie outside the song.
 */
export function segment(k, length, { targetLength, context, lookahead }) {
  const start = k * targetLength;
  return {
    start,
    stop: Math.min(start + targetLength, length),
    from: start - context,
    to: start + targetLength + lookahead,
  };
}

/** The samples `from` up to `to` of a channel, zeros where it has none. */
export function cut(channel, from, to) {
  const taken = new Int16Array(to - from);
  taken.set(channel.subarray(Math.max(0, from), Math.max(0, to)), Math.max(0, -from));
  return taken;
}

/**
 * Which channels of a song a network sees at once: `together` of them, the last one again where one is missing.
 *
 * @returns {number[][]} the channels of each group.
 */
export function groups(channels, together) {
  return Array.from({ length: Math.ceil(channels / together) }, (_, group) =>
    Array.from({ length: together }, (_, place) => Math.min(group * together + place, channels - 1)),
  );
}
