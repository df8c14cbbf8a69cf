/** What authenticators encode: enough of CBOR (RFC 8949) for attestation objects and COSE keys. */
export type Cbor = number | string | Uint8Array | ReadonlyMap<number | string, Cbor>

/** A major type with its argument, in the fewest bytes. */
function head(major: number, value: number): Buffer {
  const type = major << 5
  if (value < 24) return Buffer.from([type | value])
  if (value < 0x100) return Buffer.from([type | 24, value])
  if (value < 0x10000) return Buffer.from([type | 25, value >> 8, value & 0xff])
  const bytes = Buffer.alloc(5, type | 26)
  bytes.writeUInt32BE(value, 1)
  return bytes
}

/** Encodes a value. Members of maps stay in their order. */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') {
    const text = Buffer.from(value)
    return Buffer.concat([head(3, text.length), text])
  }
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  const members = [...value].flatMap(([key, member]) => [encodeCbor(key), encodeCbor(member)])
  return Buffer.concat([head(5, value.size), ...members])
}
