import { CFunction, dlopen, FFIType, type Pointer, ptr, read } from "bun:ffi";

/**
 * The part of the PKCS#11 C API (OASIS PKCS #11 v2.40) that a master key needs. CK_ULONG is 8 bytes and structures are
 * not packed: Linux and macOS on 64 bits.
 */
export type Cryptoki = {
  readonly call: (name: CryptokiFunction, ...args: readonly (number | bigint | Pointer | null)[]) => void;
};

/** Position in CK_FUNCTION_LIST and the types of the arguments: u for CK_ULONG, p for a pointer, b for a byte. */
const FUNCTIONS = {
  C_Initialize: [0, "p"],
  C_Finalize: [1, "p"],
  C_GetSlotList: [4, "bpp"],
  C_GetTokenInfo: [6, "up"],
  C_OpenSession: [12, "uuppp"],
  C_CloseSession: [13, "u"],
  C_Login: [18, "uupu"],
  C_Logout: [19, "u"],
  C_GetAttributeValue: [24, "uupu"],
  C_FindObjectsInit: [26, "upu"],
  C_FindObjects: [27, "upup"],
  C_FindObjectsFinal: [28, "u"],
  C_EncryptInit: [29, "upu"],
  C_Encrypt: [30, "upupp"],
  C_DecryptInit: [33, "upu"],
  C_Decrypt: [34, "upupp"],
  C_GenerateKey: [58, "uppup"],
} as const;

type Bound = (...args: readonly (number | bigint | Pointer | null)[]) => unknown;

type CryptokiFunction = keyof typeof FUNCTIONS;

const TYPES: Readonly<Record<string, FFIType>> = { u: FFIType.u64, p: FFIType.ptr, b: FFIType.u8 };
/** CK_VERSION, padded to the first pointer. */
const LIST_HEADER_BYTES = 8;
const POINTER_BYTES = 8;

/** A return value other than CKR_OK. */
export class CryptokiFailure extends Error {
  readonly code: number;

  constructor(name: string, code: number) {
    super(`${name} answered 0x${code.toString(16)}`);
    this.name = "CryptokiFailure";
    this.code = code;
  }
}

/** @throws Error when the library cannot be loaded, CryptokiFailure when it gives no list of functions. */
export function loadCryptoki(modulePath: string): Cryptoki {
  const library = dlopen(modulePath, { C_GetFunctionList: { args: [FFIType.ptr], returns: FFIType.u64 } });
  const place = new BigUint64Array(1);
  const code = Number(library.symbols.C_GetFunctionList(ptr(place)));
  if (code !== 0) throw new CryptokiFailure("C_GetFunctionList", code);
  const list = Number(place[0]) as Pointer;
  const loaded = new Map<string, Bound>();
  return {
    call(name, ...args) {
      const bound = loaded.get(name) ?? bind(list, name);
      loaded.set(name, bound);
      const answer = Number(bound(...args));
      if (answer !== 0) throw new CryptokiFailure(name, answer);
    },
  };
}

function bind(list: Pointer, name: CryptokiFunction): Bound {
  const [position, types] = FUNCTIONS[name];
  const pointer = read.ptr(list, LIST_HEADER_BYTES + POINTER_BYTES * position) as Pointer;
  const args = [...types].map((type) => TYPES[type] ?? FFIType.ptr);
  const native = CFunction({ ptr: pointer, args, returns: FFIType.u64 });
  return (...given) => Reflect.apply(native, undefined, given);
}
