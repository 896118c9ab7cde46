import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { IftError, type Backend, type Buf } from '@ift/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { instructionSets, openCpu } from './index.js'

let backend: Backend

beforeEach(() => {
  backend = openCpu({ threads: 2 })
})
afterEach(() => {
  backend.close()
})

const upload = (data: ArrayBufferView): Buf => {
  const buf = backend.alloc(data.byteLength)
  backend.write(buf, data)
  return buf
}

const floats = async (buf: Buf, n: number, byteOffset = 0): Promise<number[]> => {
  const values = new Float32Array(n)
  await backend.read(buf, values, byteOffset)
  return [...values]
}

/** The code of what `body` throws or rejects with. */
const codeOf = async (body: () => unknown): Promise<string> => {
  try {
    await body()
  } catch (error) {
    if (error instanceof IftError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

describe('memory', () => {
  it('counts buffers, views and bytes exactly', () => {
    const a = backend.alloc(1000)
    const b = backend.view(a, 100, 50)
    expect(backend.memory()).toMatchObject({ allocated: 1000, peak: 1000, mapped: 0, buffers: 2 })
    backend.free(a)
    expect(backend.memory()).toMatchObject({ allocated: 1000, buffers: 1 })
    backend.free(b)
    expect(backend.memory()).toMatchObject({ allocated: 0, peak: 1000, buffers: 0 })
    backend.resetPeak()
    expect(backend.memory().peak).toBe(0)
  })

  it('writes and reads parts of a buffer', async () => {
    const buf = upload(Float32Array.of(1, 2, 3, 4))
    backend.write(buf, Float32Array.of(7, 8), 4)
    expect(await floats(buf, 4)).toEqual([1, 7, 8, 4])
    expect(await floats(backend.view(buf, 8, 8), 1, 4)).toEqual([4])
  })

  it('reads what was queued before and not what is queued after', async () => {
    const n = 1 << 20
    const buf = backend.alloc(4 * n)
    backend.fill(buf, 1, n, 'f32')
    const first = floats(buf, n)
    backend.fill(buf, 2, n, 'f32')
    expect(new Set(await first)).toEqual(new Set([1]))
    expect(new Set(await floats(buf, n))).toEqual(new Set([2]))
  })

  it('lets a buffer be freed while kernels that use it wait', async () => {
    const n = 1 << 18
    const y = backend.alloc(4 * n)
    backend.fill(y, 0, n, 'f32')
    for (let i = 1; i <= 50; i++) {
      const x = backend.alloc(4 * n)
      backend.fill(x, i, n, 'f32')
      backend.axpby(y, 1, y, 1, x, n, 'f32')
      backend.free(x)
    }
    expect(new Set(await floats(y, n))).toEqual(new Set([1275]))
  })

  it('refuses what leaves a buffer, and handles that ended', async () => {
    const buf = backend.alloc(16)
    expect(await codeOf(() => backend.fill(buf, 0, 5, 'f32'))).toBe('IFT_BUFFER_BOUNDS')
    expect(await codeOf(() => backend.write(buf, new Uint8Array(8), 9))).toBe('IFT_BUFFER_BOUNDS')
    expect(await codeOf(() => backend.read(buf, new Uint8Array(17)))).toBe('IFT_BUFFER_BOUNDS')
    expect(await codeOf(() => backend.view(buf, 8, 9))).toBe('IFT_BUFFER_BOUNDS')
    expect(await codeOf(() => backend.fill(backend.view(buf, 2, 8), 0, 2, 'f32'))).toBe('IFT_BUFFER_BOUNDS')
    expect(await codeOf(() => backend.fill(buf, 0, -1, 'f32'))).toBe('IFT_ARGUMENT')
    expect(await codeOf(() => backend.fill(buf, 0, 2 ** 52, 'f32'))).toBe('IFT_BUFFER_BOUNDS')
    backend.free(buf)
    expect(await codeOf(() => backend.fill(buf, 0, 1, 'f32'))).toBe('IFT_BUFFER_INVALID')
    expect(
      await codeOf(() => {
        backend.free(buf)
      }),
    ).toBe('IFT_BUFFER_INVALID')
  })

  it('says how much memory was asked for when there is not enough', () => {
    expect(() => backend.alloc(2 ** 48)).toThrow(/281474976710656 bytes/)
    expect(backend.memory()).toMatchObject({ allocated: 0, buffers: 0 })
  })
})

describe('mapped files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ift-map-'))
  const path = join(folder, 'weights')
  beforeEach(() => {
    const bytes = new Uint8Array(5000)
    new DataView(bytes.buffer).setFloat32(4096, 1.5, true)
    new DataView(bytes.buffer).setFloat32(101, -2.5, true)
    writeFileSync(path, bytes)
  })
  afterEach(() => {
    rmSync(path, { force: true })
  })

  it('are read in place and are read-only', async () => {
    const buf = backend.mapFile(path, 4096, 8)
    expect(backend.memory()).toMatchObject({ allocated: 0, mapped: 8, buffers: 1 })
    expect(await floats(buf, 2)).toEqual([1.5, 0])
    expect(
      await codeOf(() => {
        backend.fill(buf, 0, 1, 'f32')
      }),
    ).toBe('IFT_BUFFER_BOUNDS')
    expect(
      await codeOf(() => {
        backend.write(buf, new Uint8Array(1))
      }),
    ).toBe('IFT_BUFFER_BOUNDS')
    backend.free(buf)
    expect(backend.memory()).toMatchObject({ mapped: 0, buffers: 0 })
  })

  it('at odd offsets are copied', async () => {
    const buf = backend.mapFile(path, 101, 4)
    expect(backend.memory()).toMatchObject({ allocated: 4, mapped: 0 })
    expect(await floats(buf, 1)).toEqual([-2.5])
  })

  it('that are missing or too short are errors with the path', async () => {
    expect(await codeOf(() => backend.mapFile(path, 4096, 1000))).toBe('IFT_FILE_UNREADABLE')
    expect(() => backend.mapFile(join(folder, 'none'), 0, 4)).toThrow(join(folder, 'none'))
    expect(backend.memory().buffers).toBe(0)
  })
})

describe('the queue', () => {
  it('reports an error of a kernel at the next read, once', async () => {
    const table = upload(new Float32Array(8))
    const y = backend.alloc(16)
    backend.gatherRows(y, table, upload(Int32Array.of(0, 4)), 2, 2, 4, 'f32')
    await expect(backend.synchronize()).rejects.toThrow('gatherRows: ids[1] is 4, the table has 4 rows')
    await backend.synchronize()
    backend.gatherRows(y, table, upload(Int32Array.of(-1, 0)), 2, 2, 4, 'f32')
    expect(await codeOf(() => backend.read(y, new Uint8Array(1)))).toBe('IFT_INDEX_RANGE')
  })

  it('leaves the thread of JavaScript free', async () => {
    const n = 768
    const [a, b, y] = [backend.alloc(4 * n * n), backend.alloc(4 * n * n), backend.alloc(4 * n * n)]
    backend.fill(a, 1, n * n, 'f32')
    backend.fill(b, 1, n * n, 'f32')
    const p = {
      m: n,
      n,
      k: n,
      transA: false,
      transB: true,
      alpha: 1,
      beta: 0,
      dtype: 'f32',
      outDtype: 'f32',
    } as const
    const progress = { turns: 0, done: false }
    for (let i = 0; i < 20; i++) backend.gemm(y, a, b, null, p)
    const end = backend.synchronize().then(() => {
      progress.done = true
    })
    const isDone = () => progress.done
    while (!isDone()) {
      progress.turns++
      await new Promise((resolve) => setImmediate(resolve))
    }
    await end
    expect(progress.turns).toBeGreaterThan(10)
    expect(await floats(y, 3)).toEqual([n, n, n])
  })

  it('closes with an error for whoever waits', async () => {
    const other = openCpu({ threads: 1 })
    const buf = other.alloc(64)
    other.close()
    other.close()
    expect(await codeOf(() => other.alloc(1))).toBe('IFT_BACKEND_CLOSED')
    expect(await codeOf(() => other.read(buf, new Uint8Array(1)))).toBe('IFT_BACKEND_CLOSED')
    expect(await codeOf(() => other.synchronize())).toBe('IFT_BACKEND_CLOSED')
    expect(
      await codeOf(() => {
        other.memory()
      }),
    ).toBe('IFT_BACKEND_CLOSED')
  })
})

describe('opening', () => {
  it('takes every instruction set of the processor and no other', async () => {
    const sets = instructionSets()
    expect(sets.length).toBeGreaterThan(0)
    for (const isa of sets) {
      const device = openCpu({ isa, threads: 1 })
      expect(device.device.description).toContain(isa)
      device.close()
    }
    expect(await codeOf(() => openCpu({ isa: 'mmx' }))).toBe('IFT_BACKEND_UNAVAILABLE')
    expect(await codeOf(() => openCpu({ threads: 0 }))).toBe('IFT_ARGUMENT')
    expect(openCpu({ threads: 3 }).device.threads).toBe(3)
  })
})

describe('operands', () => {
  const dtype = 'f32'

  it('share memory where a kernel allows it and nowhere else', async () => {
    const x = upload(Int32Array.of(0, 1, 1, 3, 4, 5, 6, 7))
    const shifted = backend.view(x, 4, 28)
    const [other, more] = [backend.alloc(64), backend.alloc(64)]
    const turn = { rows: 1, heads: 1, headDim: 8, dimOffset: 0, dims: 8, scale: 1, dtype } as const
    const rates = { n: 8, lr: 1, beta1: 0.9, beta2: 0.9, eps: 1e-8, weightDecay: 0, step: 1, dtype } as const
    // The numbers that a kernel goes by are checked before it runs: it must not write to them.
    const refused: (() => void)[] = [
      () => backend.gatherRows(x, other, x, 2, 4, 4, dtype),
      () => backend.gatherRows(shifted, other, x, 2, 2, 4, dtype),
      () => backend.scatterRows(x, other, x, 2, 4, 2, dtype, dtype, 0),
      () =>
        backend.crossEntropy(x, null, other, x, { rows: 2, vocab: 4, gradScale: 1, dtype, gradDtype: dtype }),
      () => backend.rope(x, x, x, other, { ...turn, interleaved: false, inverse: false }),
      () => backend.rmsNorm(x, other, x, more, 1, 8, 1e-5, dtype),
      () => backend.unary('relu', shifted, x, 7, dtype),
      () => backend.adamw(x, null, other, more, more, null, rates),
    ]
    for (const call of refused) expect(await codeOf(call), String(call)).toBe('IFT_ARGUMENT')
    backend.unary('relu', x, x, 8, dtype)
    backend.copy2d(x, 4, 4, x, 0, 4, 1, 4, dtype, 0)
    await backend.synchronize()
  })

  it('have bounds where no buffer sets any', async () => {
    const none = backend.alloc(0)
    const [out, lse] = [backend.alloc(0), backend.alloc(0)]
    const cu = upload(Int32Array.of(0, 0))
    const huge = 2 ** 52
    const mask = { causal: true }
    const sequences = {
      segments: 1,
      cuQ: cu,
      cuK: cu,
      maxQ: 0,
      maxK: 0,
      rowsQ: 0,
      rowsK: 0,
      scale: 1,
      dtype,
    } as const
    const p = { ...mask, ...sequences, heads: huge, kvHeads: huge, headDim: 64 }
    expect(await codeOf(() => backend.attention(out, lse, none, none, none, p))).toBe('IFT_ARGUMENT')
    const turn = { rows: 0, heads: huge, headDim: huge, dimOffset: 0, dims: 2, scale: 1, dtype } as const
    const frequencies = backend.alloc(4)
    const rope = () =>
      backend.rope(out, none, none, frequencies, { ...turn, interleaved: false, inverse: false })
    expect(await codeOf(rope)).toBe('IFT_ARGUMENT')
    // Rows without columns are none, however many.
    backend.copy2d(out, 0, 0, none, 0, 0, huge, 0, dtype, 0)
    backend.scaleColumns(out, none, lse, huge, 0, dtype)
    await backend.synchronize()
  })
})
