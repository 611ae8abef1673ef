import type { Socket, SocketHandler } from "bun";
import { requestId } from "../../domain/ledger/record.ts";
import { type Refusal, refusalAnswer } from "../../gateway/refusal.ts";
import { responseHead } from "./response-head.ts";

/** Who hears what happens on a socket; null for one that was refused. */
export interface SocketOwner {
  onData(chunk: Buffer): void;
  onDrain(): void;
  /** The client closed, reset or half-closed. May come twice. */
  onGone(): void;
}

/** The same for every socket, with TLS or without. */
export const EVENTS: Omit<SocketHandler<SocketOwner | null>, "open" | "error"> = {
  binaryType: "buffer",
  data: (socket, chunk) => socket.data?.onData(chunk),
  drain: (socket) => socket.data?.onDrain(),
  end: leave,
  close: leave,
};

function leave(socket: Socket<SocketOwner | null>): void {
  socket.data?.onGone();
}

/** The whole answer to a connection that is not read from: that would cost what there is none of. */
export function answerText(refusal: Refusal, dateText: string): string {
  const { status, headers, body } = refusalAnswer(refusal, requestId(Bun.randomUUIDv7()));
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
  const head = responseHead({
    answer: { status, headers },
    framing: "length",
    lengthBytes: text.length,
    mustClose: true,
    dateText,
  });
  return `${head ?? ""}${text}`;
}
