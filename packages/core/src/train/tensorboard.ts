import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** CRC-32C (Castagnoli), the checksum of TFRecord. */
const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  return c >>> 0
})

function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (const byte of bytes) c = crcTable[(c ^ byte) & 0xff]! ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

/** TFRecord stores checksums rotated and shifted, so that a checksum of checksums stays meaningful. */
const masked = (bytes: Uint8Array): number => {
  const c = crc32c(bytes)
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0
}

/** One TFRecord: u64 length, its checksum, payload, its checksum; little-endian. */
export function tfRecord(payload: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(16 + payload.length)
  record.writeBigUInt64LE(BigInt(payload.length), 0)
  record.writeUInt32LE(masked(record.subarray(0, 8)), 8)
  record.set(payload, 12)
  record.writeUInt32LE(masked(payload), 12 + payload.length)
  return record
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value)
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest ? low | 0x80 : low)
  } while (rest)
  return Buffer.from(bytes)
}

/** Protobuf fields by wire type: 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32. */
const field = (number: number, wire: number, body: Uint8Array) =>
  Buffer.concat([Buffer.from([(number << 3) | wire]), ...(wire === 2 ? [varint(body.length)] : []), body])

const double = (value: number) => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleLE(value)
  return bytes
}

const float = (value: number) => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeFloatLE(value)
  return bytes
}

/** `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }`. */
const scalarEvent = (seconds: number, step: number, values: Readonly<Record<string, number>>) =>
  Buffer.concat([
    field(1, 1, double(seconds)),
    field(2, 0, varint(step)),
    field(
      5,
      2,
      Buffer.concat(
        Object.entries(values).map(([tag, value]) =>
          field(1, 2, Buffer.concat([field(1, 2, Buffer.from(tag)), field(2, 5, float(value))])),
        ),
      ),
    ),
  ])

const eventFile = 'events.out.tfevents.'

/** `Event { wall_time = 1, step = 2, session_log = 7 { status = 1: START } }`: what came after the step is written again. */
const startEvent = (seconds: number, step: number) =>
  Buffer.concat([
    field(1, 1, double(seconds)),
    field(2, 0, varint(step)),
    field(7, 2, field(1, 0, varint(1))),
  ])

/** Appends scalars to an event file that TensorBoard reads. */
export class TensorBoardWriter {
  readonly #fd: number

  /**
   * Starts a new event file in `dir`, which must exist, for a run that goes on from `step`. TensorBoard joins the
   * files of a folder and drops entries of earlier files for later steps; those of a run that began at step 0 are
   * removed with step 0.
   */
  constructor(dir: string, step = 0, now = Date.now()) {
    if (step === 0)
      for (const name of readdirSync(dir)) if (name.startsWith(eventFile)) rmSync(join(dir, name))
    const seconds = Math.floor(now / 1000)
    this.#fd = openSync(join(dir, `${eventFile}${seconds}.${hostname()}.${process.pid}.0`), 'a')
    try {
      const version = [field(1, 1, double(now / 1000)), field(3, 2, Buffer.from('brain.Event:2'))]
      writeSync(this.#fd, tfRecord(Buffer.concat(version)))
      if (step > 0) writeSync(this.#fd, tfRecord(startEvent(now / 1000, step)))
    } catch (error) {
      closeSync(this.#fd)
      throw error
    }
  }

  /** One point of every scalar. Values that are not finite are left out: TensorBoard draws them as zero. */
  scalars(step: number, values: Readonly<Record<string, number>>, now = Date.now()): void {
    const finite = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)))
    if (Object.keys(finite).length) writeSync(this.#fd, tfRecord(scalarEvent(now / 1000, step, finite)))
  }

  close(): void {
    closeSync(this.#fd)
  }
}
