import { createHash } from "node:crypto";
import type { RequestHead } from "./request-head.ts";

/** Collects one request body. */
export interface Upload {
  push(part: Uint8Array): void;
  /** What came so far. To be called once. */
  finish(): UploadedBody;
}

export type UploadedBody = { readonly bytes: Uint8Array; readonly sha256: string };

const NOTHING = new Uint8Array(0);

/** "hash" keeps and hashes the body, "keep" only keeps it, "drop" forgets it while it comes. */
export function createUpload(head: RequestHead, care: "hash" | "keep" | "drop"): Upload {
  if (care === "drop") return DROPPED;
  const hash = care === "hash" ? createHash("sha256") : null;
  const store = head.framing.kind === "length" ? sizedStore(head.framing.lengthBytes) : listStore();
  return {
    push(part) {
      hash?.update(part);
      store.push(part);
    },
    finish: () => ({ bytes: store.bytes(), sha256: hash?.digest("hex") ?? "" }),
  };
}

const DROPPED: Upload = {
  push: () => undefined,
  finish: () => ({ bytes: NOTHING, sha256: "" }),
};

type Store = { push(part: Uint8Array): void; bytes(): Uint8Array };

/** One copy per byte: 32 MiB bodies are common in tests. The pages are not touched before bytes come. */
function sizedStore(lengthBytes: number): Store {
  const whole = Buffer.allocUnsafeSlow(lengthBytes);
  let filledBytes = 0;
  return {
    push(part) {
      whole.set(part, filledBytes);
      filledBytes += part.length;
    },
    bytes: () => whole.subarray(0, filledBytes),
  };
}

function listStore(): Store {
  const parts: Uint8Array[] = [];
  return { push: (part) => parts.push(part), bytes: () => Buffer.concat(parts) };
}
