import type { StreamEvent } from "./message.ts";

const LINE_ENDINGS = { lf: "\n", crlf: "\r\n", cr: "\r" } as const;

/** One event as it goes over the wire, with the empty line that ends it. */
export function printEvent(event: StreamEvent, lineEnding: keyof typeof LINE_ENDINGS = "lf"): Uint8Array {
  const end = LINE_ENDINGS[lineEnding];
  return Buffer.from(`event: ${event.event}${end}data: ${JSON.stringify(event.data)}${end}${end}`);
}

export function errorEvent(error: { readonly type: string; readonly message: string }): StreamEvent {
  return { event: "error", data: { type: "error", error } };
}
