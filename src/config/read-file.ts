import { closeSync, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import type { Result } from "../kernel/result.ts";
import { err, ok } from "../kernel/result.ts";

/** What the loader must know of a file, so that tests can hand it any file. */
export type FileFacts = {
  readonly text: string;
  /** Permission bits, e.g. 0o600. */
  readonly mode: number;
  /** The file, and the link that leads to it, belong to this process's user or to root. */
  readonly isOurs: boolean;
};

export type ReadFile = (path: string) => Result<FileFacts, FileProblem>;
export type FileProblem = "absent" | "unreadable" | "too_large" | "not_a_file";

/** No honest configuration comes near: it bounds what a parser may be fed. */
const MAX_FILE_BYTES = 1_048_576;

/** Looks at the opened file, not at its name, so that nothing can be swapped in between. Symbolic links are followed. */
export function readFile(path: string): Result<FileFacts, FileProblem> {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (cause) {
    return err(codeOf(cause) === "ENOENT" || codeOf(cause) === "ENOTDIR" ? "absent" : "unreadable");
  }
  try {
    const facts = fstatSync(handle);
    if (!facts.isFile()) return err("not_a_file");
    const buffer = new Uint8Array(MAX_FILE_BYTES + 1);
    const length = readWhole(handle, buffer);
    if (length > MAX_FILE_BYTES) return err("too_large");
    const text = new TextDecoder().decode(buffer.subarray(0, length));
    return ok({ text, mode: facts.mode & 0o777, isOurs: isOurs(facts.uid) && isOurs(lstatSync(path).uid) });
  } catch {
    return err("unreadable");
  } finally {
    closeSync(handle);
  }
}

function readWhole(handle: number, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(handle, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return length;
}

function isOurs(uid: number): boolean {
  // No user ids on Windows: the directory's access list decides there.
  return process.getuid === undefined || uid === process.getuid() || uid === 0;
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : null;
}
