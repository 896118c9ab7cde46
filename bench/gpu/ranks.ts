import { performance } from 'node:perf_hooks'
import type { Buf, Communicator } from '@ift/tensor'
import { median } from '../median.mjs'
import type { CudaBackend } from '../../packages/kernels-cuda/src/backend.js'
import { openGpu, type DeviceName } from './device.js'

interface Rank {
  readonly backend: CudaBackend
  readonly comm: Communicator
  readonly rank: number
}

async function floats(backend: CudaBackend, buf: Buf, n: number): Promise<Float32Array> {
  const values = new Float32Array(n)
  await backend.read(buf, values)
  return values
}

/**
 * Checks each collective, where rank r contributes (r + 1) i at place i; returns the names of those with a wrong
 * result.
 */
async function wrong({ backend, comm, rank }: Rank): Promise<string[]> {
  const { worldSize } = comm
  const n = 1000
  const own = Float32Array.from({ length: worldSize * n }, (_, i) => (rank + 1) * i)
  const all = (worldSize * (worldSize + 1)) / 2
  const bad: string[] = []
  const expect = async (name: string, buf: Buf, count: number, value: (i: number) => number) => {
    const found = await floats(backend, buf, count)
    if (!found.every((x, i) => x === value(i))) bad.push(name)
    backend.free(buf)
  }
  const upload = (data: Float32Array) => {
    const buf = backend.alloc(data.byteLength)
    backend.write(buf, data)
    return buf
  }
  const summed = upload(own.subarray(0, n))
  comm.allReduce(summed, n, 'f32', 'sum')
  await expect('allReduce', summed, n, (i) => all * i)
  const [parts, part] = [upload(own), backend.alloc(4 * n)]
  comm.reduceScatter(part, parts, n, 'f32')
  await expect('reduceScatter', part, n, (i) => all * (rank * n + i))
  const [mine, gathered] = [upload(own.subarray(0, n)), backend.alloc(4 * n * worldSize)]
  comm.allGather(gathered, mine, n, 'f32')
  await expect('allGather', gathered, n * worldSize, (i) => (Math.floor(i / n) + 1) * (i % n))
  comm.broadcast(mine, n, 'f32', worldSize - 1)
  await expect('broadcast', mine, n, (i) => worldSize * i)
  backend.free(parts)
  return bad.map((name) => `${name} on rank ${rank}`)
}

/** Milliseconds of one all-reduce of n numbers, the median of ten. */
async function timed(ranks: readonly Rank[], n: number): Promise<number> {
  const bufs = ranks.map(({ backend }) => {
    const buf = backend.alloc(4 * n)
    backend.fill(buf, 0, n, 'f32')
    return buf
  })
  const all = () => Promise.all(ranks.map(({ backend }) => backend.synchronize()))
  const times: number[] = []
  for (let turn = 0; turn < 12; turn++) {
    await all()
    const begin = performance.now()
    for (const [i, { comm }] of ranks.entries()) comm.allReduce(bufs[i]!, n, 'f32', 'sum')
    await all()
    if (turn > 1) times.push(performance.now() - begin)
  }
  for (const [i, { backend }] of ranks.entries()) backend.free(bufs[i]!)
  return median(times)
}

/** As many ranks on one device, over NCCL: every collective, and the time of an all-reduce of as many numbers. */
export async function ranks(
  device: Exclude<DeviceName, 'cpu'>,
  count: number,
  n: number,
  library: string | null,
): Promise<object> {
  let give!: (id: Uint8Array) => void
  const id = new Promise<Uint8Array>((resolve) => (give = resolve))
  const exchange = (bytes: Uint8Array | null) => {
    if (bytes) give(bytes)
    return id
  }
  const worlds = await Promise.all(
    Array.from({ length: count }, async (_, rank): Promise<Rank> => {
      const backend = openGpu(device)
      await backend.join({
        rank,
        worldSize: count,
        mpi: null,
        master: 'this process',
        timeout: 60,
        library,
        exchange,
      })
      return { backend, comm: backend.comm!, rank }
    }),
  )
  const failures = (await Promise.all(worlds.map(wrong))).flat()
  const ms = await timed(worlds, n)
  await Promise.all(worlds.map(({ comm }) => comm.leave()))
  for (const { backend } of worlds) backend.close()
  return {
    library: worlds[0]!.comm.library,
    ranks: count,
    failures,
    failed: failures.length,
    allReduceMiB: (4 * n) / 2 ** 20,
    allReduceMs: Number(ms.toFixed(3)),
  }
}
