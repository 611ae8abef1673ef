/**
 * One client, one connection, one request at a time.
 *
 *   bun bench/client-latency.ts --port P --key K --requests N --pause-ms M --body-bytes B
 *
 * Prints one line: {"failures":F,"latenciesUs":[...]}. A dropped connection is a failure and is opened again.
 */
import type { Socket } from "bun";
import { createAnswerReader } from "./answer-reader.ts";
import { numberFlag, textFlag } from "./number-flags.ts";
import { requestBytes } from "./wire-request.ts";

const ANSWER_WAIT_MS = 10_000;

const port = numberFlag(process.argv, "port");
const requests = numberFlag(process.argv, "requests");
const pauseMs = numberFlag(process.argv, "pause-ms");
const bytes = requestBytes({
  key: textFlag(process.argv, "key"),
  bodyBytes: numberFlag(process.argv, "body-bytes"),
  isStream: false,
});

type Exchange = { unsent: Uint8Array | null; settle: (isAnswered: boolean) => void };

function write(socket: Socket<Exchange>, rest: Uint8Array): void {
  const taken = Math.max(0, socket.write(rest));
  socket.data.unsent = taken < rest.length ? rest.subarray(taken) : null;
}

function connect(): Promise<Socket<Exchange>> {
  const reader = createAnswerReader();
  return Bun.connect<Exchange>({
    hostname: "127.0.0.1",
    port,
    data: { unsent: null, settle: () => undefined },
    socket: {
      open: (socket) => {
        socket.setNoDelay(true);
      },
      data: (socket, chunk) => {
        if (reader.push(chunk)) socket.data.settle(reader.status === 200);
      },
      drain: (socket) => {
        if (socket.data.unsent !== null) write(socket, socket.data.unsent);
      },
      close: (socket) => socket.data.settle(false),
      error: (socket) => socket.data.settle(false),
    },
  });
}

async function exchange(socket: Socket<Exchange>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ANSWER_WAIT_MS);
  socket.data.settle = resolve;
  write(socket, bytes);
  const isAnswered = await promise;
  clearTimeout(timer);
  return isAnswered;
}

const latenciesUs: number[] = [];
let failures = 0;
let socket: Socket<Exchange> | null = null;
for (let at = 0; at < requests; at += 1) {
  const startedAtMs = performance.now();
  try {
    socket ??= await connect();
    const isAnswered = await exchange(socket);
    if (!isAnswered) {
      failures += 1;
      socket.terminate();
      socket = null;
    }
  } catch (cause) {
    if (failures === 0) process.stderr.write(`Cannot send request ${at}: ${String(cause)}\n`);
    failures += 1;
    socket = null;
  }
  latenciesUs.push(Math.round((performance.now() - startedAtMs) * 1000));
  if (pauseMs > 0) await Bun.sleep(pauseMs);
}
process.stdout.write(`${JSON.stringify({ failures, latenciesUs })}\n`);
process.exit(0);
