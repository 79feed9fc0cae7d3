/** What the page tells people; `message` is one line for them. */
export class Fault extends Error {}
