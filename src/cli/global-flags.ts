import { err, ok, type Result } from "../kernel/result.ts";

/** Flags that say which gateway is meant; they may stand anywhere before a "--". */
const NAMES = { "--data-dir": "dataDir", "--config": "config" } as const;

export type GlobalFlags = { readonly dataDir?: string; readonly config?: string };
export type SplitArgv = { readonly flags: GlobalFlags; readonly rest: readonly string[] };

/**
 * Takes the global flags out, since the socket must be known before a command runs. The error is a line for stderr;
 * the exit code is then 2.
 */
export function splitGlobalFlags(argv: readonly string[]): Result<SplitArgv, string> {
  const flags: { dataDir?: string; config?: string } = {};
  const rest: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const argument = argv[at] ?? "";
    if (argument === "--") {
      rest.push(...argv.slice(at));
      break;
    }
    const equals = argument.indexOf("=");
    const name = equals === -1 ? argument : argument.slice(0, equals);
    if (name !== "--data-dir" && name !== "--config") {
      rest.push(argument);
      continue;
    }
    if (equals === -1) at += 1;
    const value = equals === -1 ? argv[at] : argument.slice(equals + 1);
    if (value === undefined || value === "") return err(`Cannot read the command line: ${name} needs a path`);
    flags[NAMES[name]] = value;
  }
  return ok({ flags, rest });
}
