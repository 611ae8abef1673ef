import { type EpochMs, epochMs } from "../../src/kernel/time.ts";
import type { Agenda } from "./agenda.ts";
import { type Chance, createChance } from "./chance.ts";
import { type ReplayRequest, requestsOf } from "./request.ts";
import type { Session, Trace } from "./trace.ts";

/** Where clients send their requests: a gateway, or the optimum. */
export interface Desk {
  /** `reply` is called once: when the answer ended, or when it is refused. */
  submit(request: ReplayRequest, reply: (reply: Reply) => void): void;
}

export type Reply =
  | { readonly kind: "served" }
  /** Null: the refusal named no instant. */
  | { readonly kind: "refused"; readonly retryAtMs: EpochMs | null };

/** As Claude Code: ten times, and never for a wait of more than a minute (protocol.md, P32, P47). */
const MAX_RETRIES = 10;
const LONGEST_RETRY_MS = 60_000;
const FIRST_BACK_OFF_MS = 500;
const LONGEST_BACK_OFF_MS = 32_000;
/** A person who was turned away looks again when the limit is over, or after five minutes, and up to ten minutes late. */
const COMES_BACK_MS = 300_000;
const LATE_MS = 600_000;

/** Plans every session of the trace: turn after turn, subagents, retries, and coming back after a refusal. */
export function startSessions(trace: Trace, agenda: Agenda, desk: Desk): void {
  const chance = createChance(1);
  for (const session of trace.sessions) {
    agenda.at(session.startMs, () => begin(session, () => undefined));
  }

  function begin(session: Session, done: () => void): void {
    const requests = requestsOf(session);
    const luck = chance.fork(session.id);
    function turn(index: number): void {
      const request = requests[index];
      if (request === undefined) {
        done();
        return;
      }
      agenda.at(agenda.nowMs + request.turn.thinkMs, () => {
        ask(request, { retries: 0, luck }, () => afterTurn(request, () => turn(index + 1)));
      });
    }
    turn(0);
  }

  function afterTurn(request: ReplayRequest, next: () => void): void {
    const { subagents } = request.turn;
    let open = subagents.length;
    if (open === 0) {
      next();
      return;
    }
    for (const subagent of subagents) {
      agenda.at(agenda.nowMs + subagent.startMs, () =>
        begin(subagent, () => {
          open -= 1;
          if (open === 0) next();
        }),
      );
    }
  }

  function ask(request: ReplayRequest, patience: Patience, served: () => void): void {
    desk.submit(request, (reply) => {
      if (reply.kind === "served") {
        served();
        return;
      }
      const { againAtMs, retries } = nextTry(reply.retryAtMs, patience, agenda.nowMs);
      agenda.at(againAtMs, () => ask(request, { ...patience, retries }, served));
    });
  }
}

type Patience = { readonly retries: number; readonly luck: Chance };

function nextTry(retryAtMs: EpochMs | null, { retries, luck }: Patience, nowMs: EpochMs) {
  const isShort = retryAtMs === null || retryAtMs - nowMs <= LONGEST_RETRY_MS;
  if (isShort && retries < MAX_RETRIES) {
    const backOffMs = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** retries) * (0.75 + luck.next() / 4);
    return { againAtMs: epochMs(Math.max(retryAtMs ?? 0, nowMs + backOffMs)), retries: retries + 1 };
  }
  const lookAgainMs = Math.max(retryAtMs ?? 0, nowMs + COMES_BACK_MS) + luck.next() * LATE_MS;
  return { againAtMs: epochMs(lookAgainMs), retries: 0 };
}
