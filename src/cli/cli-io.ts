import type { AccountWire } from "../contract/accounts.ts";
import type { TraceRequestWire } from "../contract/trace.ts";
import type { StrategyName } from "../domain/selection/strategy-name.ts";
import type { Result } from "../kernel/result.ts";

/** What `config check` found. `data` is the redacted configuration or the problems, for `--json`. */
export type ConfigReport = { readonly isOk: boolean; readonly text: string; readonly data: unknown };

/** Null: the data directory, and the public key in it. */
export type AuditVerifyOrder = { readonly file: string | null; readonly publicKeyFile: string | null };

/** What `audit verify` found; the same shape for an intact log and a broken one. */
export type AuditVerification = { readonly isOk: boolean; readonly text: string; readonly data: unknown };

/** What is to be replayed, and by which strategies. */
export type SimulationOrder = {
  readonly accounts: readonly AccountWire[];
  /** Oldest first. */
  readonly requests: readonly TraceRequestWire[];
  readonly strategies: readonly StrategyName[];
  /** From when on the ledger was asked for. */
  readonly sinceMs: number;
};

/** What a replay found. `notes` say what it could not know. */
export type Simulation = { readonly text: string; readonly data: unknown; readonly notes: readonly string[] };

/** A database of the old project that is to be brought over. */
export type ImportOrder = { readonly path: string; readonly isDryRun: boolean };

/** What came over, or would. `notes` say what did not, and why. */
export type ImportReport = {
  readonly accounts: number;
  readonly clientKeys: number;
  readonly requests: number;
  readonly notes: readonly string[];
  readonly isDryRun: boolean;
};

/** One route of the process, with everything that is decided about a request before its handler runs. */
export type RouteLine = {
  readonly method: string;
  readonly path: string;
  readonly plane: string;
  readonly auth: string;
  readonly permission: readonly string[];
  readonly csrf: string;
  readonly bodyLimitBytes: number;
  readonly rateClass: string;
  readonly audit: readonly string[] | string;
  readonly stepUp: boolean;
};

/** Everything that a command may touch of the world, so that tests run the CLI in their own process. */
export type CliIo = {
  /** Data alone. */
  readonly stdout: (text: string) => void;
  /** Talk: progress, errors, advice. */
  readonly stderr: (text: string) => void;
  /** All of standard input, at most 64 KiB. */
  readonly stdin: () => Promise<string>;
  /** Is a person typing at standard input? Only then `ask` is called. */
  readonly isTty: boolean;
  /** One line that a person types; nothing is echoed when `isHidden`. */
  readonly ask: (question: string, options: { readonly isHidden: boolean }) => Promise<string>;
  /** The running gateway's Unix socket. */
  readonly socketPath: string;
  readonly version: string;
  /** How this program was called, for advice that can be pasted: "better-ccflare", "npm run cli --". */
  readonly programName: string;
  /** Those of this very program, whether it runs or not. */
  readonly routes: () => readonly RouteLine[];
  readonly configCheck: () => Promise<ConfigReport>;
  /** Null when there is nothing to replay. */
  readonly simulate: (order: SimulationOrder) => Promise<Simulation | null>;
  /** Rejects with a sentence for the operator when a file cannot be read. */
  readonly verifyAudit: (order: AuditVerifyOrder) => Promise<AuditVerification>;
  /** Works on the data directory itself, while no gateway runs. */
  readonly importOld: (order: ImportOrder) => Promise<Result<ImportReport, string>>;
  readonly nowMs: () => number;
};

export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command: one line that says the fact, and the fix when one is known. Never holds a secret. */
export class CliFailure extends Error {
  readonly exitCode: ExitCode;
  readonly fix: string | null;

  constructor(exitCode: ExitCode, message: string, fix: string | null = null) {
    super(message);
    this.name = "CliFailure";
    this.exitCode = exitCode;
    this.fix = fix;
  }
}

/** The one way to print a result: JSON alone with `--json`, else what `render` makes for a person. */
export function emit<Value>(io: CliIo, isJson: boolean, value: Value, render: (value: Value) => string): void {
  const text = isJson ? JSON.stringify(value, null, 2) : render(value);
  io.stdout(text.endsWith("\n") ? text : `${text}\n`);
}

/** Server and CLI write commands as `better-ccflare ...`; a person sees the name they called. */
export function asCalled(io: CliIo, advice: string): string {
  return advice.replaceAll("better-ccflare ", `${io.programName} `);
}
