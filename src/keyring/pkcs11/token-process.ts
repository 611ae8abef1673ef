import { MasterKeyRefused, MasterKeyUnreachable } from "../keyring-error.ts";
import { linesOf } from "./lines.ts";
import type { TokenAnswer, TokenOrder, TokenPlace, TokenRequest } from "./token-protocol.ts";

/** A token on the network answers within a second; one that hangs must not hold up a start for ever. */
const DEADLINE_MS = 30_000;
/** The session that the PIN opened ends when nothing is asked for so long. */
const IDLE_MS = 2_000;

export type TokenProcess = {
  /** @throws MasterKeyRefused, MasterKeyUnreachable */
  ask(order: TokenOrder): Promise<string | null>;
};

/** How this program calls itself to serve one token (token-command.ts), with the environment that the library reads. */
export type TokenCommand = {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
};

type Running = {
  readonly write: (line: string) => Promise<void>;
  readonly next: () => Promise<IteratorResult<string>>;
  readonly end: () => void;
  readonly kill: () => void;
};

/** Orders to a token, one after the other, by a process that lives only while it has something to do. */
export function createTokenProcess(
  place: TokenPlace,
  { command, deadlineMs = DEADLINE_MS }: { readonly command: TokenCommand; readonly deadlineMs?: number },
): TokenProcess {
  let running: Running | null = null;
  let idleTimer: Timer | null = null;
  let last: Promise<unknown> = Promise.resolve();

  const rest = (): void => {
    idleTimer = setTimeout(() => {
      running?.end();
      running = null;
    }, IDLE_MS);
    idleTimer.unref();
  };

  const answerTo = async (order: TokenOrder): Promise<TokenAnswer> => {
    if (idleTimer !== null) clearTimeout(idleTimer);
    running ??= run(command);
    const { write, next, kill } = running;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, deadlineMs);
    try {
      const request: TokenRequest = { place, order };
      await write(`${JSON.stringify(request)}\n`);
      const { done, value } = await next();
      // Written by our own program.
      if (done !== true) return JSON.parse(value) as TokenAnswer;
      running = null;
      const fact = isLate ? `it did not answer within ${deadlineMs} ms` : "the library ended the process that asked it";
      return { kind: "gone", fact };
    } finally {
      clearTimeout(timer);
      if (running !== null) rest();
    }
  };

  return {
    async ask(order) {
      const turn = last.then(() => answerTo(order));
      last = turn.catch(() => undefined);
      const answer = await turn;
      if (answer.kind === "value") return answer.value;
      if (answer.kind === "gone") throw new MasterKeyUnreachable(answer.fact);
      throw new MasterKeyRefused(answer.problem, answer.subject, answer.fact);
    },
  };
}

function run({ argv, env }: TokenCommand): Running {
  const child = Bun.spawn([...argv], { env, stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  child.unref();
  const lines = linesOf(child.stdout);
  return {
    async write(line) {
      try {
        await child.stdin.write(line);
        await child.stdin.flush();
      } catch {
        // The process has ended: its output ends too, and that is what the caller waits for.
      }
    },
    next: () => lines.next(),
    end: () => void child.stdin.end(),
    kill: () => child.kill("SIGKILL"),
  };
}
