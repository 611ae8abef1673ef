import type { UpstreamRequest } from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Origin } from "./base-url.ts";
import { isFieldValue, isToken, isVisibleAscii } from "./field-chars.ts";

/** Written by this client alone. A caller that gives one would make two, or change how the answer is framed. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "expect",
  "host",
  "transfer-encoding",
  "upgrade",
  "x-api-key",
]);
const OWN_FIELD_LENGTHS: ReadonlySet<number> = new Set([...OWN_FIELDS].map((name) => name.length));
const METHODS_WITH_LENGTH: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/**
 * The request line and header fields with the closing empty line, one byte per character (latin1): Host, the given
 * fields in their order and case, Content-Length, the credential. Refuses what could end a line or start another field.
 */
// hot path
export function requestHead(request: UpstreamRequest, origin: Origin): Result<string, string> {
  if (!isToken(request.method)) return err("the method is not a token");
  if (request.method === "CONNECT") return err("the method CONNECT is not supported");
  if (!request.target.startsWith("/") || !isVisibleAscii(request.target) || request.target.includes("#")) {
    return err("the target is not an absolute path of visible ASCII");
  }
  let head = `${request.method} ${origin.pathPrefix}${request.target} HTTP/1.1\r\nHost: ${origin.host}\r\n`;
  for (const [name, value] of request.headers) {
    if (!isToken(name)) return err("a header name is empty or holds an illegal character");
    if (OWN_FIELD_LENGTHS.has(name.length) && OWN_FIELDS.has(name.toLowerCase())) {
      return err(`the header ${name.toLowerCase()} belongs to the client`);
    }
    if (!isFieldValue(value)) return err("a header value holds an illegal character");
    head += `${name}: ${value}\r\n`;
  }
  if (request.body !== null) head += `Content-Length: ${request.body.length}\r\n`;
  else if (METHODS_WITH_LENGTH.has(request.method)) head += "Content-Length: 0\r\n";
  const credential = credentialField(request);
  return credential.ok ? ok(`${head}${credential.value}\r\n`) : credential;
}

// hot path
function credentialField({ credential, credentialKind }: UpstreamRequest): Result<string, string> {
  if (credential === null) return ok("");
  const secret = credential.reveal();
  if (!isVisibleAscii(secret)) return err("the credential is empty or holds an illegal character");
  return ok(`${credentialKind === "api_key" ? "x-api-key: " : "Authorization: Bearer "}${secret}\r\n`);
}
