/** What must be refused of every envelope, whatever it is one of. */

export function flipped(bytes: Uint8Array, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = offset < 0 ? copy.length + offset : offset
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
  return copy
}

function withByte(bytes: Uint8Array, offset: number, value: number): Buffer {
  return Buffer.from(bytes).fill(value, offset, offset + 1)
}

export function withByteAdded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Uint8Array.of(0)])
}

/**
 * @param otherSuite a suite that exists, and is one of something else
 * @returns names and bytes
 */
export function* spoiltEnvelopes(envelope: Buffer, otherSuite: number): Generator<[string, Buffer]> {
  yield ['empty', Buffer.alloc(0)]
  yield ['the header alone', envelope.subarray(0, 2)]
  yield ['format byte 0', withByte(envelope, 0, 0)]
  yield ['format byte 2, which is unknown', withByte(envelope, 0, 2)]
  yield ['suite byte 0', withByte(envelope, 1, 0)]
  yield [`suite byte ${otherSuite}, of something else`, withByte(envelope, 1, otherSuite)]
  yield ['suite byte 127, which is unknown', withByte(envelope, 1, 127)]
  yield ['a bit of the third byte flipped', flipped(envelope, 2)]
  yield ['a bit in the middle flipped', flipped(envelope, Math.floor(envelope.length / 2))]
  yield ['a bit of the last byte flipped', flipped(envelope, -1)]
  yield ['the last byte missing', envelope.subarray(0, -1)]
}
