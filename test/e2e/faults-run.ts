import { expect } from "bun:test";
import zlib from "node:zlib";
import { errorBody } from "../../sim/api-error.ts";
import type { RecordedRequest, SimulatedAccount, Simulator } from "../../sim/simulator.ts";
import type { AccountLine, AdminSocket } from "./admin-socket.ts";
import {
  type AccountAfter,
  type Ask,
  type ClientSees,
  type FaultRow,
  FIGURES,
  INPUT_TOKENS,
  type LedgerSays,
  OUTPUT_TOKENS,
  READY,
  type RowClock,
  type ScriptedAccount,
} from "./faults-row.ts";
import type { LedgerLine } from "./gateway-process.ts";
import { connectRaw, headerValue, printHead, type RawAnswer } from "./raw-http.ts";

export type FaultWorld = {
  readonly simulator: Simulator;
  readonly admin: AdminSocket;
  readonly port: number;
  readonly key: string;
};

type Actor = { readonly name: string; readonly script: ScriptedAccount; readonly simulated: SimulatedAccount };

const DEFAULT_PRIORITY = 100;
/** From the moment that the client left to the end of the upstream connection. */
const ABORT_MS = 100;
const LEDGER_PATIENCE_MS = 3_000;
let rows = 0;

/** Plays one row with accounts of its own and compares everything that the row says. */
export async function playRow(row: FaultRow, world: FaultWorld): Promise<void> {
  rows += 1;
  const prefix = `row-${rows}`;
  const clock = rowClock(Date.now());
  const actors: Actor[] = [];
  try {
    for (const [index, script] of row.accounts.entries()) {
      actors.push(await enter({ script, name: `${prefix}-${index}`, prefix, clock }, world));
    }
    for (const ask of row.asks) await playAsk(ask, actors, world);
    const answeredAtMs = Date.now();
    const lines = await world.admin.accounts();
    for (const [index, actor] of actors.entries()) {
      const line = lines.find(({ name }) => name === actor.name);
      if (line === undefined) throw new Error(`Cannot find account ${actor.name}`);
      checkAccount(line, row.after?.[index] ?? READY, { index, answeredAtMs });
    }
  } finally {
    for (const { name } of actors) await world.admin.removeAccount(name);
  }
}

type Entrance = {
  readonly script: ScriptedAccount;
  readonly name: string;
  readonly prefix: string;
  readonly clock: RowClock;
};

/** A base URL per row and account: faults of one row open no circuit for the next. */
async function enter({ script, name, prefix, clock }: Entrance, { simulator, admin }: FaultWorld): Promise<Actor> {
  const credential = `sk-${name}`;
  const kind = script.kind ?? "api_key";
  const simulated = simulator.account(credential, { kind });
  simulated.setDefault({ kind: "auto", ...FIGURES });
  simulated.enqueue(...(typeof script.steps === "function" ? script.steps(clock) : script.steps));
  await admin.addAccount({
    name,
    baseUrl: script.upstream === "nobody" ? `http://127.0.0.1:1/${name}` : `${simulator.url}/${name}`,
    credential,
    credentialKind: kind,
    priority: script.priority ?? DEFAULT_PRIORITY,
    ...(script.organization === undefined ? {} : { organization: `${prefix}-${script.organization}` }),
  });
  return { name, script, simulated };
}

function rowClock(startMs: number): RowClock {
  const at = (inSeconds: number) => new Date(Math.round(startMs / 1000 + inSeconds) * 1000);
  return {
    epochSeconds: (inSeconds) => String(at(inSeconds).getTime() / 1000),
    rfc3339: (inSeconds) => at(inSeconds).toISOString().replace(".000Z", "Z"),
    httpDate: (inSeconds) => at(inSeconds).toUTCString(),
  };
}

/** Requests for messages that the accounts of the row have had. */
function sentTo(actors: readonly Actor[]): readonly RecordedRequest[] {
  return actors.flatMap(({ simulated }) => simulated.requests.filter(({ method }) => method === "POST"));
}

async function playAsk(ask: Ask, actors: readonly Actor[], world: FaultWorld): Promise<void> {
  const before = sentTo(actors).length;
  const seen = ask.leaves === undefined ? await listen(ask, world) : await leave(ask, { actors, world, before });
  const sent = sentTo(actors);
  const isCounted = actors.every(({ script }) => script.upstream !== "nobody");
  if (isCounted) expect(sent.length - before, "requests that upstream saw").toBe(ask.client.attempts);
  if (seen.answer !== null) checkClient(ask, seen.answer);
  const id = seen.answer === null ? null : headerValue(seen.answer, "x-better-ccflare-request-id");
  const line = await ledgerLine(id, seen.askedAtMs, world);
  checkLedger(line, ask.ledger, actors);
}

type Seen = { readonly answer: RawAnswer | null; readonly askedAtMs: number };

function bodyOf({ model = "claude-sonnet-5-5", isStream = false }: Ask): string {
  return JSON.stringify({ model, stream: isStream, max_tokens: 64, messages: [{ role: "user", content: "hi" }] });
}

function printAsk(ask: Ask, key: string): string {
  const body = bodyOf(ask);
  const headers = ["content-type: application/json", "anthropic-version: 2023-06-01"];
  return `${printHead({ key, headers, framing: { lengthBytes: body.length } })}${body}`;
}

async function listen(ask: Ask, world: FaultWorld): Promise<Seen> {
  const client = await connectRaw(world.port);
  const askedAtMs = Date.now();
  await client.write(printAsk(ask, world.key));
  const answer = await client.answer();
  client.close();
  return { answer, askedAtMs };
}

type Leaving = { readonly actors: readonly Actor[]; readonly world: FaultWorld; readonly before: number };

async function leave(ask: Ask, { actors, world, before }: Leaving): Promise<Seen> {
  const client = await connectRaw(world.port);
  const askedAtMs = Date.now();
  await client.write(printAsk(ask, world.key));
  if (ask.leaves === "in the queue") await untilQueued(world);
  else await world.simulator.waitFor(() => sentTo(actors).length > before);
  if (ask.leaves === "mid-stream") await client.until((body) => body.includes("content_block_delta"));
  const leftAtMs = Date.now();
  client.close();
  if (ask.leaves !== "in the queue") {
    await world.simulator.waitFor(() => sentTo(actors).some(({ abortedAtMs }) => abortedAtMs !== null));
    const abortedAtMs = sentTo(actors).find((request) => request.abortedAtMs !== null)?.abortedAtMs ?? 0;
    expect(abortedAtMs - leftAtMs, "milliseconds until upstream was aborted").toBeLessThanOrEqual(ABORT_MS);
  }
  return { answer: null, askedAtMs };
}

async function untilQueued({ port, key }: FaultWorld): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { "x-api-key": key } });
    if (/waiting\S* 1\b/.test(await answer.text())) return;
  }
}

function checkClient(ask: Ask, answer: RawAnswer): void {
  const { client } = ask;
  const text = decoded(answer).toString("utf8");
  const attempts = headerValue(answer, "x-better-ccflare-attempts");
  const end = endOf(answer, text);
  expect({ status: answer.status, attempts, end, text: text.slice(0, 600) }, "what the client sees").toMatchObject({
    status: client.status,
    attempts: String(client.attempts),
    end: client.end,
  });
  if (client.errorType !== undefined) expect(errorTypeOf(text)).toBe(client.errorType);
  if (client.code !== undefined) expect(text).toContain(`(${client.code})`);
  if (client.words === "upstream") {
    expect(text).not.toContain(client.end === "own error" ? "(GW_STOPPING)" : "(GW_");
    // Its own spelling, with its own id: the body was not written anew.
    const isApiError = (client.status ?? 0) >= 400 && client.errorType !== null;
    if (isApiError) expect(text).toBe(errorBody(JSON.parse(text).error, headerValue(answer, "request-id") ?? ""));
  }
  if (client.hasStop !== undefined) expect(text.includes("event: message_stop")).toBe(client.hasStop);
  checkPings(client, text);
  checkRetryAfter(client, answer);
}

function checkPings({ ownPings, hasStop }: ClientSees, text: string): void {
  // Ours is spelled as the API documents it, with a space; the simulator's without.
  const own = text.split('data: {"type": "ping"}').length - 1;
  if (ownPings === undefined || ownPings === "none") expect(own, "pings of our own").toBe(0);
  else expect(own, "pings of our own").toBeGreaterThanOrEqual(ownPings.atLeast);
  if (hasStop === undefined) return;
  // Every event is whole, ours included: a ping inside another event would leave a line that is no field.
  const whole = text.replaceAll(/\r\n?/g, "\n").split("\n\n").slice(0, -1);
  for (const event of whole) expect(event).toMatch(/^event: \w+\ndata: \{.*\}$/s);
}

function checkRetryAfter({ retryAfter }: ClientSees, answer: RawAnswer): void {
  if (retryAfter === undefined) return;
  const seconds = headerValue(answer, "retry-after") ?? "";
  expect(seconds).toMatch(/^[0-9]+$/);
  expect(Number(seconds)).toBeGreaterThanOrEqual(retryAfter[0]);
  expect(Number(seconds)).toBeLessThanOrEqual(retryAfter[1]);
}

function endOf({ end }: RawAnswer, text: string): ClientSees["end"] {
  if (end === "whole") return "whole";
  return text.includes("(GW_STREAM_CUT)") ? "own error" : "broken";
}

/** Of a broken body, what can be read of it. */
function decoded(answer: RawAnswer): Buffer {
  const encoding = headerValue(answer, "content-encoding");
  switch (encoding) {
    case null:
      return answer.body;
    case "gzip":
      return zlib.gunzipSync(answer.body, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    case "br":
      return zlib.brotliDecompressSync(answer.body, { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH });
    case "zstd":
      return zlib.zstdDecompressSync(answer.body, { finishFlush: zlib.constants.ZSTD_e_flush });
    default:
      throw new Error(`Cannot decode ${encoding}`);
  }
}

function errorTypeOf(text: string): string | null {
  return /"error":\s*\{\s*"type":\s*"(\w+)"/.exec(text)?.[1] ?? null;
}

/** By its id, or, when the client left without one, the newest that began since. */
async function ledgerLine(id: string | null, askedAtMs: number, { admin }: FaultWorld): Promise<LedgerLine> {
  const untilMs = Date.now() + LEDGER_PATIENCE_MS;
  for (;;) {
    const line = id === null ? await admin.newest() : await admin.request(id);
    const isOurs = line !== null && (id !== null || Date.parse(line.startedAt) >= askedAtMs);
    if (isOurs && line.outcome !== "in_flight") return line;
    if (Date.now() > untilMs) throw new Error(`Cannot find the settled request in the ledger: ${JSON.stringify(line)}`);
  }
}

function checkLedger(line: LedgerLine, says: LedgerSays, actors: readonly Actor[]): void {
  const { usage, queuedMs, account, ...rest } = says;
  const { outcome, status, attempts, errorType } = line;
  expect({ outcome, status, attempts, errorType, account: line.account }, "what the ledger says").toEqual({
    ...rest,
    account: account === null ? null : (actors[account]?.name ?? "nobody"),
  });
  const tokens = { input: line.usage?.["inputTokens"] ?? null, output: line.usage?.["outputTokens"] ?? null };
  switch (usage) {
    case "none":
      expect(tokens).toEqual({ input: null, output: null });
      break;
    case "whole":
      expect(tokens).toEqual({ input: INPUT_TOKENS, output: OUTPUT_TOKENS });
      break;
    default:
      expect(tokens.input).toBe(INPUT_TOKENS);
      expect(tokens.output).toBeGreaterThan(0);
      expect(tokens.output).toBeLessThan(OUTPUT_TOKENS);
  }
  const [least, most] = queuedMs ?? [0, 0];
  expect(line.timing.queueMs, "queueMs").toBeGreaterThanOrEqual(least);
  expect(line.timing.queueMs, "queueMs").toBeLessThanOrEqual(most);
}

/** Headers name whole seconds, and a row takes its time. */
const SLACK_SECONDS = 1.6;

type AccountCheck = { readonly index: number; readonly answeredAtMs: number };

function checkAccount(line: AccountLine, after: AccountAfter, { index, answeredAtMs }: AccountCheck): void {
  expect({ index, state: line.state, reason: line.reason }).toMatchObject({ index, state: after.state });
  if (after.until !== undefined) expect(line.until).toBe(after.until);
  else if (after.forSeconds === undefined) expect(line.until).toBeNull();
  else {
    const [least, most] =
      typeof after.forSeconds === "number" ? [after.forSeconds, after.forSeconds + SLACK_SECONDS] : after.forSeconds;
    const seconds = (Date.parse(line.until ?? "") - answeredAtMs) / 1000;
    expect(seconds, `seconds until account ${index} is back`).toBeGreaterThanOrEqual(
      Math.max(0, least - SLACK_SECONDS),
    );
    expect(seconds, `seconds until account ${index} is back`).toBeLessThanOrEqual(most);
  }
  for (const window of after.windows ?? []) {
    expect(line.windows).toContainEqual(expect.objectContaining(window));
  }
}
