import { ptr } from "bun:ffi";
import { MasterKeyRefused, MasterKeyUnreachable } from "../keyring-error.ts";
import { CKF_OS_LOCKING_OK, CKR } from "./constants.ts";
import { type Cryptoki, CryptokiFailure, loadCryptoki } from "./cryptoki.ts";
import { withPin } from "./pin-file.ts";
import { openToken, type Token } from "./token.ts";
import type { TokenOrder, TokenPlace } from "./token-protocol.ts";

/** Does what is asked with the keys of one token. Blocks for as long as the token takes. */
export type TokenDesk = {
  /** @throws MasterKeyRefused, MasterKeyUnreachable */
  serve(order: TokenOrder): string | null;
};

/** CK_C_INITIALIZE_ARGS: four callbacks, flags, a reserved pointer. */
const INITIALIZE_ARGS_WORDS = 6;
const INITIALIZE_FLAGS = 4;

export function createTokenDesk(place: TokenPlace): TokenDesk {
  const cryptoki = load(place);
  let token: Token | null = null;
  const keys = new Map<string, bigint>();

  const connected = (): Token => {
    if (token !== null) return token;
    initialize(cryptoki);
    const opened = open(cryptoki, place);
    for (const key of opened.keysOf(place.keyLabel)) keys.set(opened.idOf(key), key);
    token = opened;
    return opened;
  };

  const leave = (): void => {
    keys.clear();
    try {
      // Also when nothing was opened: a library that failed half-way is asked anew.
      token?.close();
      cryptoki.call("C_Finalize", null);
    } catch (cause) {
      if (!(cause instanceof CryptokiFailure)) throw cause;
    } finally {
      token = null;
    }
  };

  const handleOf = (keyId: string): bigint => {
    const key = keys.get(keyId);
    if (key === undefined) throw new MasterKeyUnreachable(`${nameOf(place)} holds no key ${keyId} any more`);
    return key;
  };

  const generate = (using: Token): string => {
    const key = using.generate(place.keyLabel);
    refuseExtractable(using, key, place);
    const id = using.idOf(key);
    keys.set(id, key);
    return id;
  };

  const find = (using: Token, keyId: string | null): string => {
    const ids = [...keys.keys()];
    if (keyId === null && ids.length === 0) return generate(using);
    const id = keyId === null ? ids[0] : (ids.find((each) => each === keyId) ?? ids[0]);
    if (id === undefined) {
      throw new MasterKeyRefused("absent", nameOf(place), "there is no such key; use the token that sealed this data");
    }
    if (keyId === null && ids.length > 1) {
      throw new MasterKeyRefused("length", nameOf(place), "there are several keys of this label; name another label");
    }
    refuseExtractable(using, handleOf(id), place);
    return id;
  };

  const serve = (using: Token, order: TokenOrder): string | null => {
    if (order.kind === "generate") return generate(using);
    if (order.kind === "find") return find(using, order.keyId);
    const key = handleOf(order.keyId);
    const aad = Buffer.from(order.aad, "base64");
    if (order.kind === "encrypt") {
      const plain = Buffer.from(order.plain, "base64");
      return Buffer.from(using.encrypt(key, aad, plain)).toString("base64");
    }
    const opened = using.decrypt(key, aad, Buffer.from(order.sealed, "base64"));
    return opened === null ? null : Buffer.from(opened).toString("base64");
  };

  return {
    serve(order) {
      const isOld = token !== null;
      try {
        try {
          return serve(connected(), order);
        } catch (cause) {
          // A session may have ended in the meantime: a fresh one says whether the token is there.
          if (!isOld || !(cause instanceof CryptokiFailure)) throw cause;
          leave();
          return serve(connected(), order);
        }
      } catch (cause) {
        leave();
        if (cause instanceof CryptokiFailure) throw new MasterKeyUnreachable(`the token fails (${cause.message})`);
        throw cause;
      }
    },
  };
}

/** Sessions and logins of the whole process: only one desk asks at a time. */
function initialize(cryptoki: Cryptoki): void {
  const args = new BigUint64Array(INITIALIZE_ARGS_WORDS);
  args[INITIALIZE_FLAGS] = CKF_OS_LOCKING_OK;
  try {
    cryptoki.call("C_Initialize", ptr(args));
  } catch (cause) {
    if (!(cause instanceof CryptokiFailure) || cause.code !== CKR.cryptokiAlreadyInitialized) throw cause;
  }
}

function initializedAnew(cryptoki: Cryptoki): Cryptoki {
  cryptoki.call("C_Finalize", null);
  initialize(cryptoki);
  return cryptoki;
}

function load({ modulePath }: TokenPlace): Cryptoki {
  try {
    return loadCryptoki(modulePath);
  } catch (cause) {
    const fact = cause instanceof Error ? cause.message : String(cause);
    throw new MasterKeyRefused("not_answering", modulePath, `it cannot be loaded as a PKCS#11 library (${fact})`);
  }
}

function open(cryptoki: Cryptoki, place: TokenPlace): Token {
  // A library may notice what was plugged in since only when it is initialised anew.
  const token = openToken(cryptoki, place.tokenLabel) ?? openToken(initializedAnew(cryptoki), place.tokenLabel);
  if (token === null)
    throw new MasterKeyUnreachable(`no slot of ${place.modulePath} holds the token "${place.tokenLabel}"`);
  const name = `the token "${place.tokenLabel}"`;
  if (token.pinState === "locked")
    throw new MasterKeyRefused("pin", name, "its PIN is locked; unlock it as its officer");
  if (token.pinState === "final_try") {
    const fix = "log in once with the vendor's own tool, which resets the count";
    throw new MasterKeyRefused("pin", name, `one more wrong PIN would lock it; ${fix}`);
  }
  withPin(place.pinFile, place.triedPinFile, (pin) => {
    try {
      token.login(pin);
    } catch (cause) {
      if (!(cause instanceof CryptokiFailure) || !WRONG_PIN.has(cause.code)) throw cause;
      const fact = `the token "${place.tokenLabel}" refused the PIN; it is not tried again until the file is written anew`;
      throw new MasterKeyRefused("pin", place.pinFile, fact);
    }
  });
  return token;
}

const WRONG_PIN: ReadonlySet<number> = new Set([CKR.pinIncorrect, CKR.pinLenRange, CKR.pinLocked]);

function refuseExtractable(token: Token, key: bigint, place: TokenPlace): void {
  if (!token.isExtractable(key)) return;
  const fact =
    "the token would give it away; it must be sensitive and not extractable: let the gateway make one under another label";
  throw new MasterKeyRefused("extractable", nameOf(place), fact);
}

function nameOf({ keyLabel, tokenLabel }: TokenPlace): string {
  return `the key "${keyLabel}" of the token "${tokenLabel}"`;
}
