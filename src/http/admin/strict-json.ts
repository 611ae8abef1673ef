import { err, ok, type Result } from "../../kernel/result.ts";

/** What a JSON text of the admin API may hold at most. */
export const JSON_LIMITS = { depth: 32, nodes: 10_000, stringBytes: 256 * 1024 } as const;

/** Ends the sentence "its body ...". Names the fact, never the value. */
export type JsonProblem = string;

/** Names under which JavaScript keeps what belongs to every object. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const WHITESPACE = /[ \t\n\r]*/y;
const LITERAL = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z_.+-])/y;
/** Everything up to an end of the string, an escape or what a string may not hold. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 forbids exactly these.
const STRING_RUN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;

type Scan = { readonly text: string; at: number; nodes: number; problem: JsonProblem | null };
/** An open object, with the names it has, or an open array. */
type Open = Set<string> | null;

/**
 * Looks at a JSON text before anything parses it: two parsers must not read two things from it (a name that stands
 * twice), nothing in it may reach an object's prototype, and it costs no more than it may. Total: never throws.
 * @see RFC 8259
 */
export function checkJson(bytes: Uint8Array): Result<void, JsonProblem> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return err("is not UTF-8");
  }
  const scan: Scan = { text, at: 0, nodes: 0, problem: null };
  if (!scanValue(scan)) return err(scan.problem ?? "is not JSON");
  skip(scan, WHITESPACE);
  return scan.at === text.length ? ok(undefined) : err("goes on behind its end");
}

/** One value with all that is in it, without recursion: depth is bounded by `JSON_LIMITS`, not by the stack. */
function scanValue(scan: Scan): boolean {
  const open: Open[] = [];
  for (;;) {
    const step = scanOne(scan, open);
    if (step === "bad") return false;
    if (step === "opened") continue;
    const closed = closeAll(scan, open);
    if (closed !== "next") return closed === "done";
  }
}

/** A scalar or an empty bracket ("whole"), or a bracket up to its first value ("opened"). */
function scanOne(scan: Scan, open: Open[]): "opened" | "whole" | "bad" {
  scan.nodes += 1;
  if (scan.nodes > JSON_LIMITS.nodes) return bad(scan, `has more than ${JSON_LIMITS.nodes} values`);
  skip(scan, WHITESPACE);
  const first = scan.text[scan.at];
  if (first === '"') return scanString(scan) ? "whole" : "bad";
  if (first !== "{" && first !== "[") return skip(scan, LITERAL) ? "whole" : "bad";
  if (open.length >= JSON_LIMITS.depth) return bad(scan, `is nested deeper than ${JSON_LIMITS.depth} levels`);
  scan.at += 1;
  skip(scan, WHITESPACE);
  if (scan.text[scan.at] === (first === "{" ? "}" : "]")) {
    scan.at += 1;
    return "whole";
  }
  const names = first === "{" ? new Set<string>() : null;
  open.push(names);
  return names === null || scanName(scan, names) ? "opened" : "bad";
}

/** Behind a value: closes what ends here. "next": another value is due; "done": the outermost is whole. */
function closeAll(scan: Scan, open: Open[]): "next" | "done" | "bad" {
  while (open.length > 0) {
    const names = open.at(-1) ?? null;
    skip(scan, WHITESPACE);
    const mark = scan.text[scan.at];
    scan.at += 1;
    if (mark === ",") return names === null || scanName(scan, names) ? "next" : "bad";
    if (mark !== (names === null ? "]" : "}")) return "bad";
    open.pop();
  }
  return "done";
}

/** A name and its colon. */
function scanName(scan: Scan, names: Set<string>): boolean {
  skip(scan, WHITESPACE);
  const start = scan.at;
  if (scan.text[start] !== '"' || !scanString(scan)) return false;
  const name = String(JSON.parse(scan.text.slice(start, scan.at)));
  if (FORBIDDEN_NAMES.has(name)) return refused(scan, `has a field called ${name}`);
  if (names.has(name)) return refused(scan, "has a field twice");
  names.add(name);
  skip(scan, WHITESPACE);
  const hasColon = scan.text[scan.at] === ":";
  scan.at += 1;
  return hasColon;
}

function scanString(scan: Scan): boolean {
  const start = scan.at + 1;
  scan.at = start;
  do {
    skip(scan, STRING_RUN);
  } while (skip(scan, ESCAPE));
  if (scan.text[scan.at] !== '"') return false;
  if (Buffer.byteLength(scan.text.slice(start, scan.at)) > JSON_LIMITS.stringBytes) {
    return refused(scan, `has a string of more than ${JSON_LIMITS.stringBytes} bytes`);
  }
  scan.at += 1;
  return true;
}

/** The first problem counts. */
function bad(scan: Scan, problem: JsonProblem): "bad" {
  refused(scan, problem);
  return "bad";
}

function refused(scan: Scan, problem: JsonProblem): false {
  scan.problem ??= problem;
  return false;
}

/** Moves over what `pattern` (sticky) matches here; false when it does not. */
function skip(scan: Scan, pattern: RegExp): boolean {
  pattern.lastIndex = scan.at;
  const found = pattern.exec(scan.text);
  if (found === null) return false;
  scan.at += found[0].length;
  return true;
}
