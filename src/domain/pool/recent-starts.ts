import type { EpochMs } from "../../kernel/time.ts";
import type { TokenAmount } from "./token-bucket.ts";

/** What was started lately, in the order of time, and in cells that are as fine as the headers' lag asks for. */
export type RecentStarts = { readonly cells: StartCell[] /** Of all cells. */; requests: number };

/** `lastMs`: the newest start in it; all of the cell counts as started then. */
export type StartCell = {
  requests: number;
  inputTokens: number;
  outputTokens: number;
  readonly firstMs: EpochMs;
  lastMs: EpochMs;
};

const CELL_MS = 50;
/** The oldest ones melt into one: a fresh answer strikes them out together. */
const MAX_CELLS = 64;

export function createRecentStarts(): RecentStarts {
  return { cells: [], requests: 0 };
}

// hot path
export function noteStart(starts: RecentStarts, demand: TokenAmount, nowMs: EpochMs): StartCell {
  const { cells } = starts;
  starts.requests++;
  const newest = cells.at(-1);
  if (newest !== undefined && nowMs - newest.firstMs < CELL_MS) {
    newest.requests++;
    newest.inputTokens += demand.inputTokens;
    newest.outputTokens += demand.outputTokens;
    newest.lastMs = nowMs > newest.lastMs ? nowMs : newest.lastMs;
    return newest;
  }
  const { inputTokens, outputTokens } = demand;
  const cell = { requests: 1, inputTokens, outputTokens, firstMs: nowMs, lastMs: nowMs };
  cells.push(cell);
  if (cells.length > MAX_CELLS) meltOldest(cells);
  return cell;
}

/** One start of the cell took so much more than was noted (less: negative). False: the provider has counted it since. */
export function correctStart({ cells }: RecentStarts, cell: StartCell, more: TokenAmount): boolean {
  if (!cells.includes(cell)) return false;
  cell.inputTokens += more.inputTokens;
  cell.outputTokens += more.outputTokens;
  return true;
}

/** Strikes out what was started before `seenAtMs`: the provider has counted it in what it said then. */
export function dropCounted(starts: RecentStarts, seenAtMs: EpochMs): void {
  const { cells } = starts;
  let counted = 0;
  while ((cells[counted]?.lastMs ?? seenAtMs) < seenAtMs) counted++;
  for (const cell of cells.splice(0, counted)) starts.requests -= cell.requests;
}

/** The later instant counts for both, so that nothing is struck out too early. */
function meltOldest(cells: StartCell[]): void {
  const [oldest, next] = cells;
  if (oldest === undefined || next === undefined) return;
  next.requests += oldest.requests;
  next.inputTokens += oldest.inputTokens;
  next.outputTokens += oldest.outputTokens;
  cells.shift();
}
