import { assertNever } from "../src/kernel/result.ts";
import type { Answer } from "./answer.ts";
import type { Framing } from "./step.ts";

const REASONS: ReadonlyMap<number, string> = new Map([
  [100, "Continue"],
  [101, "Switching Protocols"],
  [102, "Processing"],
  [103, "Early Hints"],
  [200, "OK"],
  [204, "No Content"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [409, "Conflict"],
  [413, "Payload Too Large"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
]);

export const LAST_CHUNK = Buffer.from("0\r\n\r\n");

export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${REASONS.get(status) ?? "Unknown"}\r\n`;
}

export function framingOf(answer: Answer): Framing {
  return answer.delivery.framing ?? (answer.isStream ? "chunked" : "length");
}

/** Status line, header lines and the empty line, each with its CRLF. */
export function headLines(answer: Answer, bodyBytes: number): readonly string[] {
  return [
    statusLine(answer.status),
    ...answer.headers.map(([name, value]) => `${name}: ${value}\r\n`),
    ...framingLines(framingOf(answer), bodyBytes),
    "\r\n",
  ];
}

function framingLines(framing: Framing, bodyBytes: number): readonly string[] {
  switch (framing) {
    case "chunked":
      return ["Transfer-Encoding: chunked\r\n", "Connection: keep-alive\r\n"];
    case "length":
      return [`Content-Length: ${bodyBytes}\r\n`, "Connection: keep-alive\r\n"];
    case "close":
      return ["Connection: close\r\n"];
    default:
      return assertNever(framing);
  }
}

/**
 * One part of the body as it goes over the wire. With `keptBytes` the part is cut short while its chunk size still
 * promises the whole of it.
 */
export function framePart(part: Uint8Array, framing: Framing, keptBytes = part.length): Uint8Array {
  const kept = part.subarray(0, keptBytes);
  if (framing !== "chunked" || part.length === 0) return kept;
  const size = Buffer.from(`${part.length.toString(16)}\r\n`);
  return keptBytes < part.length ? Buffer.concat([size, kept]) : Buffer.concat([size, kept, Buffer.from("\r\n")]);
}
