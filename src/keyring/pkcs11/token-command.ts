import { MasterKeyRefused, MasterKeyUnreachable } from "../keyring-error.ts";
import { linesOf } from "./lines.ts";
import { createTokenDesk, type TokenDesk } from "./token-desk.ts";
import type { TokenAnswer, TokenRequest } from "./token-protocol.ts";

/**
 * The process that talks to a token: it loads the vendor's library, so that whatever that does to its process, the
 * gateway and the keys in its memory are not in there. It ends with its stdin.
 */
export async function serveToken(): Promise<number> {
  let desk: TokenDesk | null = null;
  for await (const line of linesOf(Bun.stdin.stream())) {
    // Our own gateway wrote it: there is nobody else at the other end of the pipe.
    const { place, order } = JSON.parse(line) as TokenRequest;
    const answer = answerTo(() => {
      desk ??= createTokenDesk(place);
      return desk.serve(order);
    });
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  return 0;
}

function answerTo(work: () => string | null): TokenAnswer {
  try {
    return { kind: "value", value: work() };
  } catch (cause) {
    if (cause instanceof MasterKeyRefused) {
      const { problem, subject, fact } = cause;
      return { kind: "refused", problem, subject, fact };
    }
    if (cause instanceof MasterKeyUnreachable) return { kind: "gone", fact: cause.fact };
    return { kind: "gone", fact: cause instanceof Error ? cause.message : String(cause) };
  }
}
