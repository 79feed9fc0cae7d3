/**
 * The page's keys; those of what has the focus come first.
 *
 * @param {() => import("./song.js").Song | null} song
 */
export function listen(song) {
  document.addEventListener("keydown", (event) => {
    const now = song();
    if (!now || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = action(event, now);
    if (!act || isTaken(event)) return;
    event.preventDefault();
    act();
  });
}

function action(event, song) {
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  if (digit) return () => (event.shiftKey ? song.toggleSolo(digit - 1) : song.toggleMute(digit - 1));
  return {
    " ": () => song.togglePlay(),
    ArrowLeft: () => song.jump(-1),
    ArrowRight: () => song.jump(1),
    k: () => song.toggleKaraoke(),
    l: () => song.toggleLoop(),
    i: () => song.loopFrom(),
    o: () => song.loopTo(),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
}

/** Whether what has the focus has a use of its own for the key. */
function isTaken({ key, target }) {
  if (key === " ") return target.closest("button, summary, a") !== null;
  return key.startsWith("Arrow") && target.matches("input");
}
