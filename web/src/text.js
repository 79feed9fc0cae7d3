/** Seconds as minutes and seconds: `clock(83.4)` is "1:23". */
export function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A song's name without its ending, fit for a file's. */
export function stem(name) {
  return name.replace(/\.[^.]{1,5}$/, "").replace(/[/\\:*?"<>|]/g, "_") || "song";
}
