import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError, type Buf } from '@ift/tensor'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CudaBackend } from './backend.js'
import type { RankOptions } from './communicator.js'
import { emulatedIsBuilt, openEmulated } from './emulated.fixture.js'

// Two emulated GPUs of one process are two ranks over a library with NCCL's names: the calls are tested, NCCL is not.

const mock = fileURLToPath(new URL('../../../crates/collectives/tests/mock_nccl.cpp', import.meta.url))
const compiler = spawnSync('c++', ['--version']).status === 0
const ready = emulatedIsBuilt() && compiler
if (!ready) console.log('skipped: ranks of emulated GPUs need a C++ compiler and the emulated build')

let dir: string
let library: string

beforeAll(() => {
  if (!ready) return
  dir = mkdtempSync(join(tmpdir(), 'ift-nccl-'))
  library = join(dir, 'libnccl.so.2')
  const flags = ['-std=c++17', '-shared', '-fPIC', '-pthread', '-o', library, mock]
  const { status, stderr } = spawnSync('c++', flags, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}, 60_000)
afterAll(() => {
  if (ready) rmSync(dir, { recursive: true, force: true })
})

/** What carries the id of rank 0 to the others. */
function meetingPoint() {
  let give!: (id: Uint8Array) => void
  const id = new Promise<Uint8Array>((resolve) => (give = resolve))
  return (bytes: Uint8Array | null) => {
    if (bytes) give(bytes)
    return id
  }
}

async function together(count: number, more: Partial<RankOptions> = {}): Promise<CudaBackend[]> {
  const exchange = meetingPoint()
  const backends = Array.from({ length: count }, () => openEmulated())
  await Promise.all(
    backends.map((backend, rank) =>
      backend.join({
        rank,
        worldSize: count,
        mpi: null,
        master: 'here',
        timeout: 20,
        library,
        exchange,
        ...more,
      }),
    ),
  )
  return backends
}

const upload = (backend: CudaBackend, data: ArrayBufferView): Buf => {
  const buf = backend.alloc(data.byteLength)
  backend.write(buf, data)
  return buf
}

test.skipIf(!ready)('collectives follow the kernels before them', async () => {
  const backends = await together(2)
  const results = await Promise.all(
    backends.map(async (backend, rank) => {
      const comm = backend.comm!
      expect([comm.rank, comm.worldSize]).toEqual([rank, 2])
      expect(comm.library).toBe(`NCCL 2.30.7 (${library})`)
      const x = backend.alloc(16)
      backend.fill(x, rank + 1, 4, 'f32')
      comm.allReduce(x, 4, 'f32', 'sum')
      backend.axpby(x, 2, x, 0, x, 4, 'f32')
      const part = backend.alloc(8)
      comm.reduceScatter(part, x, 2, 'f32')
      const all = backend.alloc(8)
      comm.allGather(all, upload(backend, Uint16Array.of(rank, rank + 10)), 2, 'bf16')
      const text = upload(backend, Uint8Array.of(rank, rank, rank))
      comm.broadcast(text, 3, 'u8', 1)
      comm.barrier()
      const [sums, gathered, bytes] = [new Float32Array(2), new Uint16Array(4), new Uint8Array(3)]
      await backend.read(part, sums)
      await backend.read(all, gathered)
      await backend.read(text, bytes)
      expect(() => {
        comm.allGather(all, text, 3, 'bf16')
      }).toThrow(IftError)
      comm.allReduce(all, 2, 'bf16', 'sum')
      await expect(backend.synchronize()).rejects.toMatchObject({ code: 'IFT_DTYPE' })
      await comm.leave()
      comm.barrier()
      await expect(backend.synchronize()).rejects.toMatchObject({ code: 'IFT_BACKEND_CLOSED' })
      return [[...sums], [...gathered], [...bytes]]
    }),
  )
  for (const result of results)
    expect(result).toEqual([
      [12, 12],
      [0, 10, 1, 11],
      [1, 1, 1],
    ])
  for (const backend of backends) backend.close()
})

test.skipIf(!ready)('a library that is missing, and an id that is none', async () => {
  await expect(together(1, { library: '/not/there/libnccl.so.2' })).rejects.toMatchObject({
    code: 'IFT_LIBRARY_MISSING',
    message: expect.stringContaining('/not/there/libnccl.so.2') as string,
    hint: expect.stringContaining('nvidia-nccl-cu13') as string,
  })
  await expect(together(1, { exchange: () => Promise.resolve(new Uint8Array(5)) })).rejects.toThrow(/5 bytes/)
  await expect(together(1, { exchange: () => Promise.resolve(new Uint8Array(128)) })).rejects.toMatchObject({
    code: 'IFT_COLLECTIVE',
    message: 'ncclCommInitRank failed: invalid argument (4)',
  })
})
