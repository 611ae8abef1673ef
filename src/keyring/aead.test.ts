import { expect, test } from "bun:test";
import { openBytes, sealBytes } from "./aead.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

test("T-10.01 opens the published vector of AES-256-GCM (McGrew and Viega, test case 16)", () => {
  const key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const plain =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
  const cipher =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662";
  const sealed = hex(`cafebabefacedbaddecaf888${cipher}76fc6ece0f4e1768cddf8853bb2d551b`);
  expect(openBytes(key, aad, sealed)?.toString("hex")).toBe(plain);
});

test.each([4, 8, 12, 15])("T-10.06 refuses a tag that was shortened to %i bytes", (tagBytes) => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const sealed = sealBytes(key, new Uint8Array(0), Buffer.from("a longer text than one block of the cipher"));
  expect(openBytes(key, new Uint8Array(0), sealed.subarray(0, sealed.length - 16 + tagBytes))).toBeNull();
});

test("T-10.05 refuses fewer bytes than nonce and tag take", () => {
  expect(openBytes(new Uint8Array(32), new Uint8Array(0), new Uint8Array(27))).toBeNull();
});
