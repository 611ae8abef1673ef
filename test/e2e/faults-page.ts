import { join } from "node:path";
import type { AccountAfter, Ask, FaultRow } from "./faults-row.ts";
import { LIMIT_ROWS } from "./faults-rows-limits.ts";
import { REFUSAL_ROWS } from "./faults-rows-refusals.ts";
import { STREAM_ROWS } from "./faults-rows-streams.ts";
import { TIME_CONFIG, TIME_ROWS } from "./faults-rows-time.ts";
import { WIRE_ROWS } from "./faults-rows-wire.ts";

export const FAULTS_PAGE = join(import.meta.dir, "..", "..", "docs", "guide", "faults.md");

type Section = { readonly title: string; readonly text: string; readonly rows: readonly FaultRow[] };

const { deadlines, queue } = TIME_CONFIG;

const SECTIONS: readonly Section[] = [
  {
    title: "Limits",
    text: "An account rests exactly as long as the provider says, for the model class that was asked for. Warnings only rank it behind others.",
    rows: LIMIT_ROWS,
  },
  {
    title: "Refusals and overload",
    text: "Overload and server errors are not the account's fault: one retry in place, then another account. Refused credentials are not used again. A client's own mistake is relayed and never tried elsewhere.",
    rows: REFUSAL_ROWS,
  },
  {
    title: "Streams",
    text: "Until the first event that is no ping, nothing was relayed and another account may be tried. After that the stream is relayed as it is. A cut stream ends visibly; `message_stop` is never invented.",
    rows: STREAM_ROWS,
  },
  {
    title: "Connections and malformed answers",
    text: "What two readers could read differently is not believed at all. Redirects are not followed.",
    rows: WIRE_ROWS,
  },
  {
    title: "Silence, waiting, and clients that leave",
    text: `Played with short deadlines: ${deadlines.streamHeadersMs} ms to the headers and the first event, ${deadlines.idleMs} ms of silence in a stream, a ping of ours after ${deadlines.pingAfterMs} ms of silence, ${queue.maxWaitMs} ms in the queue. A client that leaves aborts upstream within 100 ms.`,
    rows: TIME_ROWS,
  },
];

const HEAD = `# What happens when upstream fails

<!-- Made by \`bun test/e2e/faults-page.ts\` from the rows that the tests play. Do not edit it. -->

Every row is a test: a simulated upstream does what the first column says, and the running gateway is compared with the
other columns. Unless a row says otherwise there is one account, upstream answers as it should after the faults named,
and RETRY_ATTEMPTS is 3. "Upstream's words" are byte for byte what the account sent. Attempts are requests sent
upstream, as in the header \`x-better-ccflare-attempts\`. Where the client asks more than once, the lines are numbered.
Accounts are numbered in the order in which they are used.
`;

const TABLE_HEAD = ["Upstream", "The client sees", "Attempts", "The ledger says", "The accounts afterwards"];

/** The whole page, as it must stand in docs/guide. */
export function renderFaultsPage(): string {
  const sections = SECTIONS.map(({ title, text, rows }) =>
    [`## ${title}`, "", text, "", line(TABLE_HEAD), line(TABLE_HEAD.map(() => "---")), ...rows.map(rowLine), ""].join(
      "\n",
    ),
  );
  return `${[HEAD, ...sections].join("\n").trimEnd()}\n`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function rowLine({ name, asks, accounts, after }: FaultRow): string {
  const all = accounts.map((_, index): AccountAfter => after?.[index] ?? { state: "ready" });
  return line([
    name,
    numbered(asks.map(clientCell)),
    numbered(asks.map(({ client }) => String(client.attempts))),
    numbered(asks.map((ask) => ledgerCell(ask, accounts.length))),
    accountsCell(all),
  ]);
}

function numbered(cells: readonly string[]): string {
  return cells.length === 1 ? cells.join() : cells.map((cell, index) => `${index + 1}. ${cell}`).join("<br>");
}

function clientCell({ client, isStream = false, model, leaves }: Ask): string {
  const asked = model === undefined ? "" : `${model}: `;
  if (leaves !== undefined && client.status === null) return `${asked}nothing: it left ${leaves}`;
  if (leaves !== undefined) return `${asked}the beginning of the stream: it left ${leaves}`;
  return `${asked}${answerWords(client, isStream)}${pingWords(client)}${retryWords(client)}`;
}

function answerWords({ status, words, code, errorType, end }: Ask["client"], isStream: boolean): string {
  if (words === "gateway") return `${status} ${errorType} of the gateway (${code})`;
  const what = isStream ? "stream" : "answer";
  if (end === "own error")
    return `${status}, the beginning of the ${what}, then an error event (GW_STREAM_CUT) and a broken connection`;
  if (end === "broken") return `${status}, the beginning of the ${what}, then a broken connection`;
  if (errorType === undefined) return `${status}, the whole ${what}`;
  if (status === 200) return `200, upstream's stream with its ${errorType}`;
  return `${status}${errorType === null ? "" : ` ${errorType}`} in upstream's words`;
}

function pingWords({ ownPings }: Ask["client"]): string {
  if (ownPings === undefined) return "";
  return ownPings === "none" ? ", without pings of the gateway" : ", with pings of the gateway in the silence";
}

function retryWords({ retryAfter }: Ask["client"]): string {
  if (retryAfter === undefined) return "";
  const [least, most] = retryAfter;
  return `, retry-after ${least === most ? least : `${least} to ${most}`}`;
}

function ledgerCell({ ledger }: Ask, accountCount: number): string {
  const { outcome, account, usage, errorType, queuedMs } = ledger;
  const by = account === null ? ", no account" : accountCount === 1 ? "" : `, account ${account + 1}`;
  const error = errorType === null ? "" : `, ${errorType}`;
  const tokens = usage === "none" ? "" : `, ${usage} usage`;
  return `${outcome}${by}${error}${tokens}${queuedMs === undefined ? "" : ", the wait as queueMs"}`;
}

function accountsCell(all: readonly AccountAfter[]): string {
  if (all.every(({ state }) => state === "ready")) return "ready";
  return all.map((after, index) => (all.length === 1 ? "" : `${index + 1}: `) + conditionWords(after)).join("<br>");
}

function conditionWords({ state, forSeconds, until }: AccountAfter): string {
  if (until !== undefined) return `${state} until ${until}`;
  if (forSeconds === undefined) return state;
  if (typeof forSeconds !== "number") return `${state} for ${forSeconds.join(" to ")} s`;
  return `${state} for ${forSeconds % 3_600 === 0 ? `${forSeconds / 3_600} h` : `${forSeconds} s`}`;
}

if (import.meta.main) {
  await Bun.write(FAULTS_PAGE, renderFaultsPage());
}
