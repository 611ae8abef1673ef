import { expect, test } from "bun:test";
import zlib from "node:zlib";
import fc from "fast-check";
import { STRATEGIES, type StrategyName } from "../../src/domain/selection/strategy-name.ts";
import { turns, until } from "./manual-clock.ts";
import { MESSAGE, type ScriptedCall, STREAMED_MESSAGE } from "./scripted-call.ts";
import type { ClientView } from "./scripted-client.ts";
import type { Reply, Sending } from "./scripted-upstream.ts";
import { BLOCK_START, DELTA, errorEvent, MESSAGE_START, MESSAGE_STOP, PING, SSE_HEADERS, WHOLE_STREAM } from "./sse.ts";
import { account, createStage, type Stage } from "./stage.ts";

/** One step of a random script. What does not fit the moment does nothing. */
type Step =
  | { readonly do: "call"; readonly isStream: boolean; readonly session: string }
  | { readonly do: "rule"; readonly strategy: StrategyName }
  | { readonly do: "reply"; readonly to: number; readonly reply: Reply }
  | { readonly do: "push"; readonly to: number; readonly chunk: string | Uint8Array }
  | { readonly do: "end" | "reset"; readonly to: number }
  | { readonly do: "leave" | "pause" | "resume"; readonly to: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "stopAll" };

const ERROR_BODY = '{"type":"error","error":{"type":"api_error","message":"scripted"}}';
const GZIPPED = zlib.gzipSync(WHOLE_STREAM.join(""));
const GZIP_HEADERS = [...SSE_HEADERS, ["content-encoding", "gzip"] as const];

const chunks = fc.constantFrom<string | Uint8Array>(
  PING,
  MESSAGE_START,
  BLOCK_START,
  DELTA,
  DELTA.slice(0, 25),
  MESSAGE_STOP,
  errorEvent("overloaded_error"),
  new Uint8Array(300_000),
);
const ending = fc.constantFrom("end" as const, "open" as const, "reset" as const);
const replies = fc.oneof(
  fc.record({ headers: fc.constant(SSE_HEADERS), chunks: fc.array(chunks, { maxLength: 4 }), ending }),
  fc.record({ headers: fc.constant(SSE_HEADERS), chunks: fc.constant(WHOLE_STREAM), ending }),
  fc.record({ headers: fc.constant(GZIP_HEADERS), chunks: fc.constant([GZIPPED]), ending }),
  fc.record({
    status: fc.constantFrom(200, 204, 302, 400, 401, 402, 403, 404, 429, 500, 529),
    chunks: fc.array(fc.constantFrom<string | Uint8Array>(ERROR_BODY, new Uint8Array(1_200_000)), { maxLength: 2 }),
    ending,
  }),
  fc.constantFrom("connect" as const, "headers_timeout" as const, "protocol" as const, "aborted" as const),
);
const to = fc.nat({ max: 5 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("call" as const), isStream: fc.boolean(), session: fc.constantFrom("", "s1", "s2") }),
    fc.record({ do: fc.constant("rule" as const), strategy: fc.constantFrom(...STRATEGIES) }),
    { weight: 4, arbitrary: fc.record({ do: fc.constant("reply" as const), to, reply: replies }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("push" as const), to, chunk: chunks }) },
    fc.record({ do: fc.constantFrom("end" as const, "reset" as const), to }),
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "pause" as const, "resume" as const), to }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat({ max: 70_000 }) }) },
    fc.record({ do: fc.constant("stopAll" as const) }),
  ),
  { minLength: 2, maxLength: 24 },
);

type Walking = { readonly call: ScriptedCall; view: ClientView | null; isDone: boolean };

function enter(stage: Stage, isStream: boolean, session: string): Walking {
  const call = stage.call({
    body: isStream ? STREAMED_MESSAGE : MESSAGE,
    headers: session === "" ? [] : [["x-claude-code-session-id", session]],
  });
  const walking: Walking = { call, view: null, isDone: false };
  void stage.serve(call).then((view) => {
    walking.view = view;
    walking.isDone = true;
  });
  return walking;
}

function play(stage: Stage, walks: Walking[], step: Step): void {
  const at = <Value>(list: readonly Value[], index: number): Value | undefined =>
    list[index % Math.max(1, list.length)];
  switch (step.do) {
    case "call":
      walks.push(enter(stage, step.isStream, step.session));
      return;
    case "rule":
      stage.setRule({ strategy: step.strategy });
      return;
    case "reply":
      at(stage.upstream.sendings, step.to)?.reply(step.reply);
      return;
    case "push":
      at(stage.upstream.sendings, step.to)?.body.push(step.chunk);
      return;
    case "end":
      at(stage.upstream.sendings, step.to)?.body.end();
      return;
    case "reset":
      at(stage.upstream.sendings, step.to)?.body.fail("reset");
      return;
    case "advance":
      stage.clock.advance(step.ms);
      return;
    case "stopAll":
      stage.rooms.streams.stopAll();
      return;
    default:
      act(at(walks, step.to), step.do);
  }
}

function act(walking: Walking | undefined, what: "leave" | "pause" | "resume"): void {
  if (walking === undefined) return;
  if (what === "pause") walking.view?.pause();
  else if (what === "resume") walking.view?.resume();
  else if (walking.view === null) walking.call.leave();
  else walking.view.leave();
}

/** Everybody leaves: from here every walk must end by itself. */
async function leaveAll(stage: Stage, walks: readonly Walking[]): Promise<void> {
  for (const walking of walks) act(walking, "leave");
  await until(() => walks.every(({ isDone }) => isDone), "the end of every walk");
  for (const walking of walks) act(walking, "leave");
  await stage.background();
}

function expectNothingLeft(stage: Stage, walks: readonly Walking[]): void {
  expect(stage.rooms.budget.usedBytes).toBe(0);
  expect(stage.rooms.streams.active).toBe(0);
  expect(stage.rooms.queue.waiting).toBe(0);
  expect(stage.clock.timers).toBe(0);
  expect(walks.map(({ call }) => call.listeners)).toEqual(walks.map(() => 0));
  expect(walks.map(({ view }) => view?.late)).toEqual(walks.map(() => []));
}

/** Each request that left was in flight from then until its answer ended, and is no more. */
function expectTicketsEnded(stage: Stage): void {
  expect(stage.tickets).toHaveLength(stage.upstream.sendings.length);
  expect(stage.tickets.filter(({ ends }) => ends.length !== 1)).toEqual([]);
  for (const { id } of stage.rooms.accounts.snapshot()) expect(stage.reservations.inFlightOf(id)).toBe(0);
}

function expectOneRowEach(stage: Stage, walks: readonly Walking[]): void {
  const ids = walks.map(({ call }) => call.id).toSorted();
  expect(stage.begun.map(({ id }) => id).toSorted()).toEqual(ids);
  expect(stage.settled.map(({ id }) => id).toSorted()).toEqual(ids);
  for (const { attempts } of stage.settled) expect(attempts).toBeLessThanOrEqual(stage.rooms.retry.attempts);
  const attempts = stage.settled.reduce((sum, row) => sum + row.attempts, 0);
  expect(attempts).toBe(stage.upstream.sendings.length);
}

/** A body whose answer nobody reads any more is over, or will be: its signal has aborted. */
function isLetGo({ body, signal }: Sending): boolean {
  return body.isOver || signal.aborted;
}

test("whatever happens, in whatever order, a walk leaves one row and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const stage = createStage({ accounts: [account("a"), account("b"), account("c")] });
      const walks = [enter(stage, true, ""), enter(stage, false, "s1")];
      const sentWhenAnswered = new Map<Walking, number>();
      for (const step of script) {
        play(stage, walks, step);
        await turns();
        for (const walking of walks) {
          const sends = stage.attempted.filter(({ requestId }) => requestId === walking.call.id).length;
          const isSeen = (walking.view?.bytes.length ?? 0) > 0;
          if (isSeen && !sentWhenAnswered.has(walking)) sentWhenAnswered.set(walking, sends);
        }
      }
      await leaveAll(stage, walks);
      expectNothingLeft(stage, walks);
      expectOneRowEach(stage, walks);
      expectTicketsEnded(stage);
      expect(stage.upstream.sendings.filter((sending) => !isLetGo(sending))).toEqual([]);
      for (const [{ call }, sends] of sentWhenAnswered) {
        expect(stage.attempted.filter(({ requestId }) => requestId === call.id)).toHaveLength(sends);
      }
    }),
    { numRuns: 400 },
  );
}, 30_000);
