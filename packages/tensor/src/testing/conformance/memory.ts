import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend, Buf } from '../../backend.js'
import { IftError } from '../../errors.js'
import type { KernelCase } from '../conformance.js'

const failure = (message: string) => new IftError('IFT_CONFORMANCE', message)

function refused(what: string, fn: () => void): void {
  try {
    fn()
  } catch (error) {
    if (error instanceof IftError) return
    throw failure(`${what}: expected an IftError, found ${String(error)}`)
  }
  throw failure(`${what} was not refused`)
}

function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw failure(`${what}: expected ${String(expected)}, found ${String(found)}`)
}

async function bytesOf(backend: Backend, buf: Buf, n: number): Promise<string> {
  const out = new Uint8Array(n)
  await backend.read(buf, out)
  return out.join(' ')
}

export const memoryCases = (): KernelCase[] => [
  {
    name: 'memory: write, read, offsets and views',
    run: async (backend) => {
      const start = backend.memory()
      const a = backend.alloc(8)
      backend.write(a, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
      backend.write(a, Uint8Array.of(30, 40), 2)
      const part = backend.view(a, 2, 4)
      expectEqual('a view', await bytesOf(backend, part, 4), '30 40 5 6')
      backend.write(part, Uint8Array.of(9))
      backend.free(a)
      expectEqual('a view after its base was freed', await bytesOf(backend, part, 4), '9 40 5 6')
      const tail = new Uint8Array(2)
      await backend.read(part, tail, 2)
      expectEqual('a read at an offset', tail.join(' '), '5 6')
      backend.free(part)
      expectEqual('buffers', backend.memory().buffers, start.buffers)
      expectEqual('bytes allocated', backend.memory().allocated, start.allocated)
    },
  },
  {
    name: 'memory: what is written is copied, and a read outlives free',
    run: async (backend) => {
      const a = backend.alloc(4)
      const source = Uint8Array.of(1, 2, 3, 4)
      backend.write(a, source)
      source.fill(0)
      const out = new Uint8Array(4)
      const reading = backend.read(a, out)
      backend.free(a)
      await reading
      expectEqual('bytes', out.join(' '), '1 2 3 4')
    },
  },
  {
    name: 'memory: accounting and peak',
    run: async (backend) => {
      const start = backend.memory().allocated
      const a = backend.alloc(1 << 20)
      const held = backend.memory().allocated - start
      if (held < 1 << 20) throw failure(`allocated: expected at least ${1 << 20} more, found ${held}`)
      backend.free(a)
      await backend.synchronize()
      expectEqual('allocated after free', backend.memory().allocated, start)
      if (backend.memory().peak < start + (1 << 20))
        throw failure('peak does not show the largest allocation')
      backend.resetPeak()
      expectEqual('peak after resetPeak', backend.memory().peak, start)
    },
  },
  {
    name: 'memory: a mapped file is read-only',
    run: async (backend) => {
      const dir = await mkdtemp(join(tmpdir(), 'ift-'))
      const path = join(dir, 'weights.bin')
      try {
        await writeFile(
          path,
          Uint8Array.from({ length: 300 }, (_, i) => i & 255),
        )
        const start = backend.memory().buffers
        const map = backend.mapFile(path, 100, 8)
        expectEqual('bytes of the file', await bytesOf(backend, map, 8), '100 101 102 103 104 105 106 107')
        refused('writing to a mapped file', () => backend.write(map, Uint8Array.of(1)))
        refused('a kernel writing to a mapped file', () => backend.fill(map, 0, 2, 'f32'))
        backend.free(map)
        expectEqual('buffers', backend.memory().buffers, start)
        refused('mapping past the end', () => backend.mapFile(path, 296, 8))
        refused('mapping what is not there', () => backend.mapFile(join(dir, 'none'), 0, 8))
      } finally {
        await rm(dir, { recursive: true })
      }
    },
  },
  {
    name: 'errors: wrong, freed and short buffers',
    run: async (backend) => {
      const x = backend.alloc(64)
      const freed = backend.alloc(64)
      backend.free(freed)
      refused('a freed buffer', () => backend.fill(freed, 0, 16, 'f32'))
      refused('freeing twice', () => backend.free(freed))
      refused('a handle that was never made', () => backend.fill(987654321 as Buf, 0, 1, 'f32'))
      refused('a negative handle', () => backend.fill(-1 as Buf, 0, 1, 'f32'))
      refused('a short buffer', () => backend.fill(x, 0, 17, 'f32'))
      refused('a negative length', () => backend.fill(x, 0, -1, 'f32'))
      refused('a view past the end', () => backend.view(x, 60, 8))
      refused('writing past the end', () => backend.write(x, new Uint8Array(8), 60))
      const small = backend.alloc(4)
      const p = {
        m: 4,
        n: 4,
        k: 4,
        transA: false,
        transB: true,
        alpha: 1,
        beta: 0,
        dtype: 'f32',
        outDtype: 'f32',
      } as const
      refused('gemm with a short output', () => backend.gemm(small, x, x, null, p))
      const y = backend.alloc(64)
      refused('gemm with a short input', () => backend.gemm(y, small, x, null, p))
      refused('gemm with a short bias', () => backend.gemm(y, x, x, small, p))
      const gradient = { buf: y, beta: 0, dtype: 'f32' } as const
      const layer = { n: 2, k: 2, m: 2, r: 1, scale: 1, dtype: 'f32' } as const
      refused('a low-rank gradient without the w it is made from', () => {
        const wanted = { x: gradient, z: null, a: null, b: null, joined: true }
        backend.lowRankBackward(wanted, x, x, x, null, x, x, layer)
      })
      refused('a low-rank gradient without the z it is made from', () => {
        const wanted = { x: null, z: null, a: gradient, b: null, joined: true }
        backend.lowRankBackward(wanted, x, null, x, x, x, x, layer)
      })
      refused('rmsNorm with a short weight', () => backend.rmsNorm(y, x, x, small, 2, 8, 1e-5, 'f32'))
      refused('copy2d out of bounds', () => backend.copy2d(y, 10, 4, x, 0, 4, 2, 4, 'f32', 0))
      refused('adamw with a short moment', () =>
        backend.adamw(y, null, x, small, x, null, {
          n: 16,
          lr: 1,
          beta1: 0,
          beta2: 0,
          eps: 1,
          weightDecay: 0,
          step: 1,
          dtype: 'f32',
        }),
      )
      refused('lion with a short momentum', () =>
        backend.lion(y, null, x, small, null, {
          n: 16,
          lr: 1,
          beta1: 0,
          beta2: 0,
          weightDecay: 0,
          dtype: 'f32',
        }),
      )
      const factored = {
        rows: 4,
        cols: 4,
        lr: 1,
        beta1: 0,
        beta2: 0,
        epsilon1: 1,
        epsilon2: null,
        clipThreshold: 1,
        weightDecay: 0,
        dtype: 'f32',
      } as const
      refused('adafactor with a short second moment', () =>
        backend.adafactor(y, null, x, small, null, null, null, factored),
      )
      refused('adafactor with a short column', () =>
        backend.adafactor(y, null, x, y, small, null, null, { ...factored, rows: 2, cols: 8 }),
      )
      for (const buf of [x, y, small]) backend.free(buf)
      await backend.synchronize()
    },
  },
  {
    name: 'errors: a closed backend',
    run: async (backend) => {
      const x = backend.alloc(64)
      await backend.synchronize()
      backend.close()
      refused('alloc after close', () => backend.alloc(4))
      refused('a kernel after close', () => backend.fill(x, 0, 1, 'f32'))
    },
  },
]
