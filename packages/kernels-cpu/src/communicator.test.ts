import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/tensor'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCpu, openCpuRank } from './index.js'

// Real ranks under a real mpirun. Each runs a program over the add-on alone, which needs no build of the sources.

const addon = fileURLToPath(new URL('../kernels-cpu.linux-x64-gnu.node', import.meta.url))
const found = spawnSync('mpirun', ['--version'], { encoding: 'utf8' })
const openMpi = found.status === 0 && /Open MPI|open-mpi/i.test(found.stdout) && existsSync(addon)
if (!openMpi)
  console.log(
    'skipped: ranks need mpirun of Open MPI and the add-on for linux-x64 (apt-get install openmpi-bin)',
  )

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ift-ranks-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const prelude = `
  const native = require(${JSON.stringify(addon)})
  const device = native.open(1, '').device
  const fail = (why) => { console.log(why); native.commAbort(9) }
  const ok = (result) => (result && result.code ? fail(result.code + ': ' + result.message) : result)
  const kind = process.env.PMI_RANK === undefined ? 'openmpi' : 'mpich'
  const join = async (timeout) => ok(await native.commJoin(device, kind, null, timeout))
  const upload = (data) => {
    const id = native.alloc(device, data.byteLength)
    ok(native.write(device, id, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 0))
    return id
  }
  const read = async (id, bytes) => (ok(await native.read(device, id, 0, bytes))).buffer
`

const rootFlags = process.getuid?.() === 0 ? ['--allow-run-as-root'] : []
const mpirun = ['mpirun', '--oversubscribe', '--bind-to', 'none', ...rootFlags]
const hydra = ['mpiexec.hydra']
const mpich = spawnSync('mpiexec.hydra', ['--version']).status === 0 && existsSync(addon)
if (!mpich) console.log('skipped: ranks over MPICH need its mpiexec.hydra (apt-get install mpich)')

/** Runs a program in so many ranks. */
function run(ranks: number, body: string, launcher = mpirun): { code: number | null; said: string } {
  const file = join(dir, 'program.cjs')
  writeFileSync(file, `${prelude}\n;(async () => {\n${body}\n})().catch((error) => fail(String(error)))`)
  const [command, ...flags] = launcher
  const args = [...flags, '-n', String(ranks), process.execPath, file]
  const { status, stdout, stderr } = spawnSync(command!, args, {
    encoding: 'utf8',
    timeout: 50_000,
  })
  return { code: status, said: stdout + stderr }
}

const collectives = `
    const { rank, size, library } = await join(30)
    const near = (found, expected, what) => {
      for (let i = 0; i < found.length; i++)
        if (found[i] !== expected(i)) fail(what + ' [' + i + ']: ' + found[i] + ', expected ' + expected(i))
    }
    const total = (size * (size - 1)) / 2
    // Both ways of reducing, lengths that no number of ranks divides, and more than one piece.
    for (const n of [1, 7, 8191, 100003, 4300001]) {
      const id = upload(Float32Array.from({ length: n }, (_, i) => (i % 1000) + rank))
      ok(native.commAllReduce(device, id, n, 0, 0))
      near(new Float32Array(await read(id, n * 4)), (i) => (i % 1000) * size + total, 'sum of ' + n)
      native.free(device, id)
    }
    const max = upload(Int32Array.from({ length: 9 }, (_, i) => (i % size === rank ? 100 + i : i)))
    ok(native.commAllReduce(device, max, 9, 3, 1))
    near(new Int32Array(await read(max, 36)), (i) => 100 + i, 'max')
    // 1 in bf16 is 0x3f80, in f16 0x3c00.
    for (const [dtype, one] of [[1, 0x3f80], [2, 0x3c00]]) {
      const half = upload(new Uint16Array(5).fill(one))
      ok(native.commAllReduce(device, half, 5, dtype, 0))
      const expected = { 1: { 2: 0x4000, 3: 0x4040, 4: 0x4080 }, 2: { 2: 0x4000, 3: 0x4200, 4: 0x4400 } }[dtype][size]
      near(new Uint16Array(await read(half, 10)), () => expected, 'half ' + dtype)
    }
    const bytes = upload(Uint8Array.from({ length: 5 }, (_, i) => 10 * rank + i))
    const gathered = native.alloc(device, 5 * size)
    ok(native.commAllGather(device, gathered, bytes, 5, 4, size))
    near(new Uint8Array(await read(gathered, 5 * size)), (i) => 10 * Math.floor(i / 5) + (i % 5), 'gather')
    const parts = upload(Float32Array.from({ length: 6 * size }, (_, i) => i + rank))
    const part = native.alloc(device, 24)
    ok(native.commReduceScatter(device, part, parts, 6, 0, size))
    near(new Float32Array(await read(part, 24)), (i) => (6 * rank + i) * size + total, 'scatter')
    const root = upload(Int32Array.of(rank, rank))
    ok(native.commBroadcast(device, root, 2, 3, size - 1))
    near(new Int32Array(await read(root, 8)), () => size - 1, 'broadcast')
    // Wrong calls are refused before anything is sent.
    const refused = [
      native.commAllReduce(device, root, 3, 3, 0),
      native.commAllGather(device, root, bytes, 2, 3, size),
      native.commAllReduce(device, 12345, 1, 0, 0),
    ]
    if (refused.some((result) => !result)) fail('a wrong call was taken')
    ok(native.commBarrier(device))
    ok(await native.commLeave(device))
    const late = native.commBarrier(device) ?? (await native.synchronize(device))
    if (late?.code !== 'IFT_BACKEND_CLOSED') fail('a collective after leaving: ' + JSON.stringify(late))
    if (rank === 0) console.log('fine on ' + library)
`

test.skipIf(!openMpi).each([2, 3, 4])('collectives of %i ranks', (ranks) => {
  const { code, said } = run(ranks, collectives)
  expect(said).toContain('fine on Open MPI')
  expect(code).toBe(0)
})

test.skipIf(!mpich)('collectives of 3 ranks over MPICH', () => {
  const { code, said } = run(3, collectives, hydra)
  expect(said).toContain('fine on MPICH')
  expect(code).toBe(0)
})

test.skipIf(!openMpi)('a rank that does not come is named by those that wait', () => {
  const { code, said } = run(
    3,
    `
    const { rank } = await join(4)
    if (rank === 1) await new Promise((resolve) => setTimeout(resolve, 60000))
    ok(native.commBarrier(device))
    ok(await native.synchronize(device))
  `,
  )
  expect(said).toMatch(/IFT_RANK_MISSING: barrier: rank 1 of 3 did not come: rank [02] waited 4 s for it/)
  expect(code).toBe(9)
})

test.skipIf(!openMpi)('a rank that ends takes those that wait for it along', () => {
  const { code } = run(
    2,
    `
    const { rank } = await join(600)
    if (rank === 1) native.commAbort(7)
    ok(native.commBarrier(device))
    ok(await native.synchronize(device))
  `,
  )
  expect(code).toBe(7)
})

const alone = { rank: 1, worldSize: 4, localSize: 4, timeout: 5 }

test('ranks without MPI are refused with the line to type', async () => {
  const opened = openCpuRank({}, { ...alone, mpi: null, library: null })
  await expect(opened).rejects.toMatchObject({
    code: 'IFT_RANKS_NO_MPI',
    hint: expect.stringContaining('npx ift train --nproc 4') as string,
  })
})

test('a library that is missing or is another is an error with what was looked for', async () => {
  const missing = openCpuRank({}, { ...alone, mpi: 'openmpi', library: '/not/there/libmpi.so.40' })
  await expect(missing).rejects.toMatchObject({
    code: 'IFT_LIBRARY_MISSING',
    message: expect.stringContaining('/not/there/libmpi.so.40') as string,
    hint: expect.stringContaining('apt-get install openmpi-bin') as string,
  })
  const other = openCpuRank({}, { ...alone, mpi: 'openmpi', library: addon })
  await expect(other).rejects.toBeInstanceOf(IftError)
  const backend = openCpu()
  expect(backend.comm).toBeNull()
  backend.close()
})
