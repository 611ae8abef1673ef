import { readdirSync, readFileSync } from "node:fs";
import type { ProcStat } from "./proc-stat.ts";
import { pagesToBytes, parseProcStat, processTree, ticksToUs } from "./proc-stat.ts";

/** What a process and its children have used so far. The resolution of CPU time is 10 ms. */
export type ProcessCost = { readonly cpuUs: number; readonly rssBytes: number };

/** @throws Error when the process is gone: a system under test that died has no cost */
export function processCost(rootPid: number): ProcessCost {
  const tree = processTree(allProcesses(), rootPid);
  if (tree.length === 0) throw new Error(`Cannot measure process ${rootPid}: it is gone`);
  return {
    cpuUs: ticksToUs(tree.reduce((sum, one) => sum + one.cpuTicks, 0)),
    rssBytes: pagesToBytes(tree.reduce((sum, one) => sum + one.rssPages, 0)),
  };
}

export function isAlive(pid: number): boolean {
  const stat = readStat(String(pid));
  return stat !== null;
}

/** Open descriptors of one process and how many of them are sockets' share is not known: the count is of all. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The limits that a process started from here gets. A number above the hard one cannot be had without privileges. */
export function descriptorLimit(): number {
  const row = readFileSync("/proc/self/limits", "latin1")
    .split("\n")
    .find((line) => line.startsWith("Max open files"));
  const hard = row?.trim().split(/\s+/u)[4];
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard ?? 1024);
}

function allProcesses(): readonly ProcStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .map(readStat)
    .filter((stat) => stat !== null);
}

/** Null when the process ended between listing and reading. */
function readStat(pid: string): ProcStat | null {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ESRCH")) return null;
    throw cause;
  }
}
