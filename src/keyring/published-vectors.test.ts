import { expect, test } from "bun:test";
import { createHmac, createPrivateKey, createPublicKey, hkdfSync, sign } from "node:crypto";
import { openBytes } from "./aead.ts";
import { createDataKeyRing } from "./data-key-ring.ts";
import { createEncryptionCounts } from "./encryption-counts.ts";
import { masterKeyFromBytes } from "./master-key.ts";

// What the runtime's own cryptography must answer. Wycheproof is in no registry that a build of this repository uses (npm, Debian),
// so these are the vectors of the standards themselves: AES-GCM of McGrew and Viega with 256-bit keys and 96-bit nonces,
// RFC 4231, RFC 5869, RFC 8032. Key wrap (RFC 5649) is not used.

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const K = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
const P =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
const C =
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

test.each([
  { name: "13", key: "00".repeat(32), nonce: "00".repeat(12), plain: "", sealed: "530f8afbc74536b9a963b4f1c4cb738b" },
  {
    name: "14",
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    plain: "00".repeat(16),
    sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
  },
  { name: "15", key: K, nonce: "cafebabefacedbaddecaf888", plain: P, sealed: `${C}b094dac5d93471bdec1a502270e3cc6c` },
])(
  "T-10.01 AES-256-GCM, test case $name: opens, and does not with any byte changed",
  ({ key, nonce, plain, sealed }) => {
    const bytes = hex(nonce + sealed);
    expect(openBytes(hex(key), new Uint8Array(0), bytes)?.toString("hex")).toBe(plain);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      expect(openBytes(hex(key), new Uint8Array(0), changed)).toBeNull();
    }
  },
);

/** A pepper with a known key, as the ring makes its digests. */
function digestUnder(key: Buffer, text: string): string {
  const counts = createEncryptionCounts({ reserve: async () => undefined });
  const keys = [{ id: 1, purpose: "apikey-pepper" as const, isActive: true, key }];
  const [mac] = createDataKeyRing(masterKeyFromBytes(Buffer.alloc(32, 1)), { keys, counts }).macs("apikey-pepper");
  return mac.digest(text).toString("hex");
}

test.each([
  {
    name: "1",
    key: "0b".repeat(20),
    text: "Hi There",
    digest: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  },
  {
    name: "2",
    key: "4a656665",
    text: "what do ya want for nothing?",
    digest: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  },
  {
    name: "6",
    key: "aa".repeat(131),
    text: "Test Using Larger Than Block-Size Key - Hash Key First",
    digest: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  },
])("T-10.01 HMAC-SHA-256, RFC 4231 test case $name, as digests of client keys are made", ({ key, text, digest }) => {
  expect(digestUnder(hex(key), text)).toBe(digest);
  expect(createHmac("sha256", hex(key)).update(text).digest("hex")).toBe(digest);
});

test("T-10.01 HKDF-SHA-256, RFC 5869 test case 1", () => {
  const info = hex("f0f1f2f3f4f5f6f7f8f9");
  const derived = hkdfSync("sha256", hex("0b".repeat(22)), hex("000102030405060708090a0b0c"), info, 42);
  expect(Buffer.from(derived).toString("hex")).toBe(
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  );
});

test.each([
  {
    name: "1",
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    name: "3",
    seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
])("T-10.01 Ed25519, RFC 8032 test $name", ({ seed, publicKey, message, signature }) => {
  const der = Buffer.concat([hex("302e020100300506032b657004220420"), hex(seed)]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const exported = createPublicKey(key).export({ format: "der", type: "spki" });
  expect(exported.subarray(-32).toString("hex")).toBe(publicKey);
  expect(sign(null, hex(message), key).toString("hex")).toBe(signature);
});
