/** Counts complete events in the bytes of one stream, however they are cut. */
export interface EventCount {
  push(bytes: Uint8Array): number;
}

const NEWLINE = 0x0a;

/** An event ends with an empty line; HTTP chunk frames hold CR LF, so two bare newlines appear nowhere else. */
export function createEventCount(): EventCount {
  let wasNewline = false;
  return {
    push(bytes) {
      let events = 0;
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
        const follows = at === 0 ? wasNewline : bytes[at - 1] === NEWLINE;
        if (follows) events += 1;
      }
      wasNewline = bytes.length > 0 ? bytes[bytes.length - 1] === NEWLINE : wasNewline;
      return events;
    },
  };
}
