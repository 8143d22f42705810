// Reads one case per line: a value in words, and its bytes from the other implementation. Writes, for each, the bytes of this
// implementation, and in words the value that it reads from the given bytes.
import { createInterface } from "node:readline";
import { decode, decodeTimestampToTimeSpec, encode, encodeTimeSpecToTimestamp, ExtensionCodec } from "@msgpack/msgpack";

// A Date has only milliseconds; this has the full precision of a timestamp.
class Time {
  constructor(sec, nsec) {
    this.sec = sec;
    this.nsec = nsec;
  }
}

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: -1,
  encode: (value) => (value instanceof Time ? encodeTimeSpecToTimestamp(value) : null),
  decode: (data) => {
    const { sec, nsec } = decodeTimestampToTimeSpec(data);
    return new Time(sec, nsec);
  },
});
const options = { extensionCodec, useBigInt64: true };

const fromHex = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const toHex = (bytes) => Buffer.from(bytes).toString("hex");

function build([kind, first, second]) {
  switch (kind) {
    case "nil": return null;
    case "bool": return first;
    // With useBigInt64 a Number beyond 32 bits becomes a float.
    case "int": return Number(first) >= -(2 ** 31) && Number(first) < 2 ** 32 ? Number(first) : BigInt(first);
    case "float": return Buffer.from(first, "hex").readDoubleBE();
    case "str": return first;
    case "bin": return fromHex(first);
    case "time": return new Time(Number(first), second);
    case "array": return first.map(build);
    case "map": return Object.fromEntries(first.map(([key, value]) => [key, build(value)]));
    default: throw new Error(`unknown kind ${kind}`);
  }
}

function describe(value) {
  if (value === null) return ["nil"];
  if (typeof value === "boolean") return ["bool", value];
  if (typeof value === "bigint" || Number.isInteger(value)) return ["int", value.toString()];
  if (typeof value === "number") {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return ["float", bits.toString("hex")];
  }
  if (typeof value === "string") return ["str", value];
  if (value instanceof Uint8Array) return ["bin", toHex(value)];
  if (value instanceof Time) return ["time", value.sec.toString(), value.nsec];
  if (Array.isArray(value)) return ["array", value.map(describe)];
  return ["map", Object.entries(value).map(([key, item]) => [key, describe(item)])];
}

for await (const line of createInterface({ input: process.stdin })) {
  const { value, bytes } = JSON.parse(line);
  process.stdout.write(JSON.stringify({ bytes: toHex(encode(build(value), options)), value: describe(decode(fromHex(bytes), options)) }) + "\n");
}
