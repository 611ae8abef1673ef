import { createRandom, type SeededRandom } from "./seeded-random.ts";

/** `isMessages`: one JSON object with at most one top-level model, so that /v1/messages takes it. */
export type GeneratedBody = { readonly name: string; readonly bytes: Uint8Array; readonly isMessages: boolean };

export const MAX_BODY_BYTES = 33_554_432;
const BODIES = 200;
const MIB = 1_048_576;

/** Two hundred bodies: the odd ones by hand, then sizes up to the limit, the rest by chance. */
export function generateBodies(): readonly GeneratedBody[] {
  const known = [...oddObjects(), ...otherShapes(), ...sized()];
  const random = createRandom(200);
  const rest = Array.from({ length: BODIES - known.length }, (_, index) => randomObject(random, index));
  return [...known, ...rest];
}

/** An object that only careful hands leave alone; `member` is what makes it odd. */
function oddObjects(): readonly GeneratedBody[] {
  const members: readonly (readonly [name: string, member: string | Buffer])[] = [
    ["an integer beyond 2^64", '"n":12345678901234567890'],
    ["a float that is a whole number", '"n":1.0'],
    ["a number beyond a double", '"n":1e400'],
    ["a number below a double", '"n":-1E-400'],
    ["minus zero", '"n":-0,"m":-0.0'],
    ["digits that a double cannot hold", '"n":0.1000000000000000055511151231257827'],
    ["an exponent with a sign", '"n":1E+2,"m":1e-2'],
    ["duplicate keys inside", '"metadata":{"user_id":"a","user_id":"b"},"tools":[{"x":1,"x":2}]'],
    ["a duplicate key at the top", '"temperature":0.1,"temperature":0.2'],
    ["a key of a prototype", '"__proto__":{"a":1},"constructor":null'],
    ["escapes that could be plain", '"t":"\\u0041\\u00e9\\/\\b\\f\\n\\r\\t"'],
    ["an escaped key", '"\\u006detadata":{}'],
    ["a NUL escape", '"t":"a\\u0000b"'],
    ["a lone high surrogate", '"t":"\\ud800"'],
    ["a lone low surrogate", '"t":"\\uDFFF tail"'],
    ["surrogates in the wrong order", '"t":"\\udc00\\ud800"'],
    ["an emoji plain and escaped", '"t":"\u{1f600}\\ud83d\\ude00"'],
    ["line separators in a string", '"t":"\u2028\u2029"'],
    ["combining characters not normalised", '"t":"e\u0301\u212b\ufb01"'],
    ["a BOM inside a string", '"t":"\ufeff"'],
    ["invalid UTF-8 in a string", Buffer.from([...Buffer.from('"t":"'), 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x22])],
    ["an overlong encoding", Buffer.from([...Buffer.from('"t":"'), 0xc0, 0xaf, 0x22])],
    ["nesting of 5,000 arrays", `"d":${"[".repeat(5_000)}${"]".repeat(5_000)}`],
    ["nesting of 2,000 objects", `"d":${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`],
    ["10,000 keys", Array.from({ length: 10_000 }, (_, index) => `"k${index}":${index}`).join(",")],
    ["a string of 300 KB", `"t":"${"x".repeat(300_000)}"`],
    [
      "a model inside a model",
      '"messages":[{"role":"user","content":"\\"model\\":\\"other\\""}],"x":{"model":"inner"}',
    ],
    ["an unknown field", '"future_field":{"enabled":true,"values":[null,false]}'],
    ["an empty key and empty values", '"":"","a":{},"b":[]'],
    ["blank space everywhere", ' "a" : [ 1 ,\t2\r\n,\n3 ] '],
  ];
  const objects = members.map(([name, member]) => ({
    name,
    bytes: Buffer.concat([Buffer.from('{"model":"claude-sonnet-5-5",'), Buffer.from(member), Buffer.from("}")]),
    isMessages: true,
  }));
  const whole: readonly (readonly [name: string, text: string])[] = [
    ["an object without a model", '{"a":1}'],
    ["an empty object", "{}"],
    ["a BOM before the object", '\ufeff{"model":"claude-sonnet-5-5"}'],
    ["space around the object", ' \r\n\t{"model":"claude-sonnet-5-5"}\n\n '],
    ["an escaped model name", '{"mod\\u0065l":"claude-\\u0073onnet-5-5","stream":false}'],
    ["the model as the last member", '{"stream":false,"max_tokens":1,"model":"claude-sonnet-5-5"}'],
  ];
  return [...objects, ...whole.map(([name, text]) => ({ name, bytes: Buffer.from(text), isMessages: true }))];
}

/** What /v1/messages refuses by design, and other paths carry like anything else. */
function otherShapes(): readonly GeneratedBody[] {
  const shapes: readonly (readonly [name: string, bytes: string | readonly number[]])[] = [
    ["one byte", "x"],
    ["one zero byte", [0]],
    ["one line end", "\n"],
    ["a CRLF pair", "\r\n\r\n"],
    ["what looks like the end of a chunked body", "0\r\n\r\n"],
    ["what looks like another request", "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["an array", '[{"model":"claude-sonnet-5-5"}]'],
    ["a string", '"text"'],
    ["null", "null"],
    ["two objects", '{"a":1}{"b":2}'],
    ["an object cut short", '{"model":"claude-sonnet-5-5","messages":['],
    ["a model that stands twice", '{"model":"a","model":"b"}'],
    ["a model that stands twice, once escaped", '{"model":"a","\\u006dodel":"b"}'],
    ["a model that is a number", '{"model":1}'],
    ["UTF-16", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
    ["every byte value", Array.from({ length: 256 }, (_, index) => index)],
    ["a multipart form", '--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n\u0000\u0001\r\n--b--\r\n'],
  ];
  return shapes.map(([name, bytes]) => ({
    name,
    bytes: typeof bytes === "string" ? Buffer.from(bytes) : Uint8Array.from(bytes),
    isMessages: false,
  }));
}

/** Around the sizes at which somebody's buffer ends. */
function sized(): readonly GeneratedBody[] {
  const edges = [1_023, 1_024, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1];
  const objects = [...edges, 3 * MIB, 10 * MIB + 3, MAX_BODY_BYTES].map((bytes) => ({
    name: `an object of ${bytes} bytes`,
    bytes: paddedObject(bytes),
    isMessages: true,
  }));
  const noise = [2, 3, 5_000, 65_536, 2 * MIB + 1, MAX_BODY_BYTES].map((bytes) => ({
    name: `noise of ${bytes} bytes`,
    bytes: noiseOf(bytes),
    isMessages: false,
  }));
  return [...objects, ...noise];
}

/** A Messages request of exactly so many bytes. */
export function paddedObject(bytes: number): Uint8Array {
  const head = '{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[{"role":"user","content":"';
  const tail = '"}]}';
  const whole = Buffer.alloc(bytes, "abcdefghij");
  whole.write(head, 0, "latin1");
  whole.write(tail, bytes - tail.length, "latin1");
  return whole;
}

function noiseOf(bytes: number): Uint8Array {
  const random = createRandom(bytes);
  const block = Uint8Array.from({ length: Math.min(bytes, 9_973) }, () => random.between(0, 255));
  const whole = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += block.length) whole.set(block.subarray(0, bytes - at), at);
  return whole;
}

function randomObject(random: SeededRandom, index: number): GeneratedBody {
  const space = () => random.pick(["", "", "", " ", "\n", "\t", "\r\n"]);
  const members = Array.from({ length: random.between(1, 30) }, (_, at) => {
    const name = random.chance(0.1) ? `\\u006b${at}` : `k${at}`;
    return `${space()}"${name}"${space()}:${space()}${randomValue(random, 4)}${space()}`;
  });
  members.splice(random.between(0, members.length), 0, '"model":"claude-sonnet-5-5"');
  return { name: `random object ${index}`, bytes: Buffer.from(`{${members.join(",")}}`), isMessages: true };
}

const SCALARS: readonly [string, ...string[]] = [
  "null",
  "true",
  "false",
  "0",
  "1.0",
  "-12.50e+3",
  "9007199254740993",
  '"plain"',
  '"\\ud83d\\ude00 \\u0000 \\\\ \\" /"',
  '"漢字 العربية \u{1f468}\u200d\u{1f469}"',
];

function randomValue(random: SeededRandom, depth: number): string {
  const kind = depth === 0 ? "scalar" : random.pick(["scalar", "scalar", "array", "object"]);
  if (kind === "scalar") return random.pick(SCALARS);
  const values = Array.from({ length: random.between(0, 4) }, () => randomValue(random, depth - 1));
  return kind === "array" ? `[${values.join(" ,")}]` : `{${values.map((value, at) => `"a${at}": ${value}`).join(",")}}`;
}
