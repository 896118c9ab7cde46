import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TensorBoardWriter, tfRecord } from './tensorboard.js'

test('a record carries the masked CRC-32C of its length and payload', () => {
  // CRC-32C of '123456789' is e3069283 (RFC 3720); masked: rotate right by 15, add a282ead8.
  const record = tfRecord(Buffer.from('123456789'))
  const crc = 0xe3069283
  const expected = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  expect(record.readUInt32LE(12 + 9)).toBe(expected)
  expect(record.readBigUInt64LE(0)).toBe(9n)
})

test('an event file holds the version and then the scalars that are finite', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-tb-'))
  const writer = new TensorBoardWriter(dir, 0, 1_000)
  writer.scalars(300, { 'train/loss': 1.5, 'train/bad': Number.NaN }, 2_000)
  writer.close()
  const [name] = readdirSync(dir)
  expect(name).toMatch(/^events\.out\.tfevents\.1\./)
  const bytes = readFileSync(join(dir, name!))
  const first = Number(bytes.readBigUInt64LE(0))
  expect(bytes.subarray(12, 12 + first).toString('latin1')).toContain('brain.Event:2')
  const event = bytes.subarray(16 + first + 12)
  // wall_time, then step 300 as a varint, then the summary.
  expect(event.readDoubleLE(1)).toBe(2)
  expect([...event.subarray(9, 12)]).toEqual([0x10, 0xac, 0x02])
  expect(event.toString('latin1')).toContain('train/loss')
  expect(event.toString('latin1')).not.toContain('train/bad')
  expect(event.readFloatLE(event.indexOf('train/loss') + 'train/loss'.length + 1)).toBe(1.5)
})
