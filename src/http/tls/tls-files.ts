import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { err, ok, type Result } from "../../kernel/result.ts";

/** Where the files of TLS are; null for what is not used. */
export type TlsPaths = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | null;
  readonly crlFile: string | null;
};

/** What was read, as PEM text. */
export type TlsTexts = {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | null;
  readonly crl: string | null;
};

/** `fact` goes after the path: "Cannot use /etc/key.pem: its mode is 0644". */
export type TlsProblem = { readonly file: string; readonly fact: string; readonly fix: string };

const MAX_FILE_BYTES = 1_048_576;

export function readTlsFiles(paths: TlsPaths): Result<TlsTexts, TlsProblem> {
  const cert = readText(paths.certFile, { isSecret: false });
  if (!cert.ok) return cert;
  const key = readText(paths.keyFile, { isSecret: true });
  if (!key.ok) return key;
  const clientCa = paths.clientCaFile === null ? ok(null) : readText(paths.clientCaFile, { isSecret: false });
  if (!clientCa.ok) return clientCa;
  const crl = paths.crlFile === null ? ok(null) : readText(paths.crlFile, { isSecret: false });
  if (!crl.ok) return crl;
  return ok({ cert: cert.value, key: key.value, clientCa: clientCa.value, crl: crl.value });
}

/**
 * Changes whenever one of the files was written, replaced, or reached by another link (certbot and Kubernetes change
 * links). Looks at names only.
 */
export function stampOf(paths: TlsPaths): string {
  return [paths.certFile, paths.keyFile, paths.clientCaFile, paths.crlFile].map(fileStamp).join(" ");
}

function fileStamp(path: string | null): string {
  if (path === null) return "-";
  try {
    const facts = statSync(path, { bigint: true });
    return `${facts.dev}:${facts.ino}:${facts.size}:${facts.mtimeNs}:${facts.mode}`;
  } catch {
    // It is missing, or its directory is closed to us: reading it says so with the reason.
    return "?";
  }
}

/** Looks at the opened file, not at its name, so that nothing can be swapped in between. Links are followed. */
function readText(path: string, { isSecret }: { readonly isSecret: boolean }): Result<string, TlsProblem> {
  const refuse = (fact: string, fix: string) => err({ file: path, fact, fix });
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
    return refuse(`it cannot be opened (${code})`, "correct the path, or let the gateway's user read it");
  }
  try {
    const facts = fstatSync(handle);
    if (!facts.isFile()) return refuse("it is not a regular file", "name a file in PEM form");
    const mode = facts.mode & 0o777;
    if (isSecret && (mode & 0o177) !== 0) {
      return refuse(`its mode is 0${mode.toString(8)}, so others may read the private key`, `chmod 600 ${path}`);
    }
    if (isSecret && process.getuid !== undefined && facts.uid !== process.getuid()) {
      return refuse("it belongs to another user than the gateway's", `chown it to the gateway's user: ${path}`);
    }
    if (facts.size > MAX_FILE_BYTES) return refuse("it is larger than 1 MiB", "name a file in PEM form");
    const buffer = Buffer.alloc(facts.size);
    return ok(buffer.toString("latin1", 0, readSync(handle, buffer, 0, buffer.length, 0)));
  } catch {
    return refuse("it cannot be read", "look at the disk");
  } finally {
    closeSync(handle);
  }
}
