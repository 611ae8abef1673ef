import type { Result } from "../src/kernel/result.ts";
import { err, ok } from "../src/kernel/result.ts";
import type { AccountOptions } from "./account-state.ts";
import type { Simulator } from "./simulator.ts";
import type { Step } from "./step.ts";

/** A script file: accounts with the answers that they give, in order, and the one after those. */
export type Script = { readonly accounts: readonly ScriptedAccount[] };

export type ScriptedAccount = {
  readonly credential: string;
  readonly options?: AccountOptions;
  readonly steps?: readonly Step[];
  readonly default?: Step;
};

const STEP_KINDS: ReadonlySet<unknown> = new Set<Step["kind"]>([
  "auto",
  "message",
  "stream",
  "status",
  "streamError",
  "raw",
  "refuse",
  "reset",
  "silence",
]);

/** Checks the shape down to the kind of each step; the fields of a step are the author's own affair. */
export function parseScript(text: string): Result<Script, string> {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    return err(`it is not JSON (${error instanceof Error ? error.message : "unreadable"})`);
  }
  const accounts = field(root, "accounts");
  if (!Array.isArray(accounts)) return err(`"accounts" is not an array`);
  for (const [index, account] of accounts.entries()) {
    const problem = problemOf(account);
    if (problem !== null) return err(`accounts[${index}]${problem}`);
  }
  return ok(root as Script);
}

export function applyScript(simulator: Simulator, script: Script): void {
  for (const entry of script.accounts) {
    const account = simulator.account(entry.credential, entry.options);
    if (entry.default !== undefined) account.setDefault(entry.default);
    account.enqueue(...(entry.steps ?? []));
  }
}

function problemOf(account: unknown): string | null {
  if (typeof field(account, "credential") !== "string") return ".credential is not a string";
  const steps = field(account, "steps") ?? [];
  if (!Array.isArray(steps)) return ".steps is not an array";
  const fallback = field(account, "default");
  const all: readonly unknown[] = fallback === undefined ? steps : [...steps, fallback];
  const unknown = all.find((step) => !STEP_KINDS.has(field(step, "kind")));
  return unknown === undefined ? null : ` has a step of unknown kind ${JSON.stringify(field(unknown, "kind"))}`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? new Map(Object.entries(value)).get(name) : undefined;
}
