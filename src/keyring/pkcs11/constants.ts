/** Numbers of OASIS PKCS #11 v2.40 (Base Specification, appendix B; Current Mechanisms). */

export const CKR = {
  generalError: 0x05,
  attributeSensitive: 0x11,
  attributeTypeInvalid: 0x12,
  dataInvalid: 0x20,
  dataLenRange: 0x21,
  encryptedDataInvalid: 0x40,
  encryptedDataLenRange: 0x41,
  pinIncorrect: 0xa0,
  pinLenRange: 0xa2,
  pinLocked: 0xa4,
  signatureInvalid: 0xc0,
  userAlreadyLoggedIn: 0x100,
  cryptokiAlreadyInitialized: 0x191,
} as const;

export const CKA = {
  class: 0x00,
  token: 0x01,
  private: 0x02,
  label: 0x03,
  value: 0x11,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  encrypt: 0x104,
  decrypt: 0x105,
  valueLen: 0x161,
  extractable: 0x162,
} as const;

export const CKM = { aesKeyGen: 0x1080, aesGcm: 0x1087 } as const;
export const CKO_SECRET_KEY = 4;
export const CKK_AES = 0x1f;
export const CKU_USER = 1;
export const CKF_RW_SERIAL_SESSION = 0x06;
export const CKF_OS_LOCKING_OK = 0x02n;
/** In the flags of CK_TOKEN_INFO. */
export const CKF_USER_PIN_FINAL_TRY = 0x20000;
export const CKF_USER_PIN_LOCKED = 0x40000;
