// Makes a key that its token would give away: `extractable-key.ts MODULE TOKEN PIN LABEL`, with SOFTHSM2_CONF.
import { ptr } from "bun:ffi";
import { attributes, mechanism } from "../../src/keyring/pkcs11/ck-structures.ts";
import { CKA, CKK_AES, CKM, CKO_SECRET_KEY } from "../../src/keyring/pkcs11/constants.ts";
import { loadCryptoki } from "../../src/keyring/pkcs11/cryptoki.ts";

const CKU_USER = 1;
const CKF_RW_SERIAL_SESSION = 6;
const [modulePath = "", tokenLabel = "", pinText = "", label = ""] = process.argv.slice(2);
const cryptoki = loadCryptoki(modulePath);
cryptoki.call("C_Initialize", null);
const slots = new BigUint64Array(16);
const count = new BigUint64Array([16n]);
cryptoki.call("C_GetSlotList", 1, ptr(slots), ptr(count));
const slot = slots.subarray(0, Number(count[0])).find((each) => {
  const info = new Uint8Array(208);
  cryptoki.call("C_GetTokenInfo", each, ptr(info));
  return Buffer.from(info.subarray(0, 32)).toString().trimEnd() === tokenLabel;
});
const session = new BigUint64Array(1);
cryptoki.call("C_OpenSession", slot ?? 0n, CKF_RW_SERIAL_SESSION, null, null, ptr(session));
const pin = Buffer.from(pinText);
cryptoki.call("C_Login", session[0] ?? 0n, CKU_USER, ptr(pin), pin.length);
const template = attributes([
  [CKA.class, CKO_SECRET_KEY],
  [CKA.keyType, CKK_AES],
  [CKA.valueLen, 32],
  [CKA.label, Buffer.from(label)],
  [CKA.token, true],
  [CKA.sensitive, false],
  [CKA.extractable, true],
  [CKA.encrypt, true],
  [CKA.decrypt, true],
]);
const how = mechanism(CKM.aesKeyGen);
const key = new BigUint64Array(1);
cryptoki.call("C_GenerateKey", session[0] ?? 0n, ptr(how.bytes), ptr(template.bytes), template.count, ptr(key));
how.release();
template.release();
process.stdout.write(`${key[0]}\n`);
