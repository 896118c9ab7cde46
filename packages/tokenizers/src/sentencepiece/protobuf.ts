import { corrupt } from '../errors.js'

/** One field of a message: varints as bigint, fixed32 and length-delimited ones as bytes. */
export interface ProtoField {
  readonly number: number
  readonly value: bigint | Uint8Array
}

/** Reads protobuf's wire format. Every length is checked against what is left of the file. */
export function* protoFields(bytes: Uint8Array, file: string, field: string): Generator<ProtoField> {
  let at = 0
  const short = () =>
    corrupt(file, field, `not a SentencePiece model, or cut short: byte ${at} of ${bytes.length}.`)
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at]
      if (byte === undefined) throw short()
      at++
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw short()
  }
  const take = (length: bigint): Uint8Array => {
    if (length > BigInt(bytes.length - at)) throw short()
    const part = bytes.subarray(at, at + Number(length))
    at += Number(length)
    return part
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    if (number === 0) throw short()
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        yield { number, value: take(8n) }
        break
      case 2:
        yield { number, value: take(varint()) }
        break
      case 5:
        yield { number, value: take(4n) }
        break
      default:
        throw short()
    }
  }
}
