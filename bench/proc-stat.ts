/** The fields of one line of `/proc/PID/stat` that the benchmark needs. @see proc(5) */
export type ProcStat = {
  readonly pid: number;
  readonly parentPid: number;
  /** utime + stime of all threads, living and gone, in clock ticks. */
  readonly cpuTicks: number;
  readonly rssPages: number;
};

/** USER_HZ: 100 on every Linux that Bun runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Null when the line is not of that shape. The command name may hold spaces and brackets, so it is cut at the last one. */
export function parseProcStat(line: string): ProcStat | null {
  const nameEnd = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  if (nameEnd === -1 || !Number.isInteger(pid)) return null;
  const fields = line
    .slice(nameEnd + 2)
    .trim()
    .split(" ")
    .map(Number);
  // Numbered as in proc(5), where the state is field 3 and so fields[0].
  const [parentPid, utime, stime, rssPages] = [fields[4 - 3], fields[14 - 3], fields[15 - 3], fields[24 - 3]];
  if (parentPid === undefined || utime === undefined || stime === undefined || rssPages === undefined) return null;
  if (![parentPid, utime, stime, rssPages].every(Number.isInteger)) return null;
  return { pid, parentPid, cpuTicks: utime + stime, rssPages };
}

/** `rootPid` and everything below it; empty when the root is gone. */
export function processTree(all: readonly ProcStat[], rootPid: number): readonly ProcStat[] {
  const root = all.find((one) => one.pid === rootPid);
  if (root === undefined) return [];
  const tree = [root];
  for (const parent of tree) tree.push(...all.filter((one) => one.parentPid === parent.pid));
  return tree;
}

export function ticksToUs(ticks: number): number {
  return (ticks * 1_000_000) / TICKS_PER_SECOND;
}

export function pagesToBytes(pages: number): number {
  return pages * PAGE_BYTES;
}
