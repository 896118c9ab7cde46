import type { Backend, Buf } from '../../backend.js'
import { IftError } from '../../errors.js'
import type { KernelCase } from '../conformance.js'

const failure = (message: string) => new IftError('IFT_CONFORMANCE', message)

async function values(backend: Backend, buf: Buf, n: number): Promise<string> {
  const out = new Float32Array(n)
  await backend.read(buf, out)
  return out.join(' ')
}

async function expectValues(what: string, backend: Backend, buf: Buf, expected: string): Promise<void> {
  const found = await values(backend, buf, expected.split(' ').length)
  if (found !== expected) throw failure(`${what}: expected ${expected}, found ${found}`)
}

async function refused(what: string, run: () => unknown): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (error instanceof IftError && error.code === 'IFT_RECORDING') return
    throw failure(`${what}: expected IFT_RECORDING, found ${String(error)}`)
  }
  throw failure(`${what} was not refused`)
}

/** Work that is written down and done later, of backends that can. */
export const recordingCases = (): KernelCase[] => [
  {
    name: 'recording: done at every replay and not before, on what the buffers hold then',
    run: async (backend) => {
      if (backend.record === undefined) return
      const start = backend.memory()
      const [x, y] = [backend.alloc(8), backend.alloc(8)]
      backend.write(x, Float32Array.of(1, 2))
      backend.fill(y, 7, 2, 'f32')
      const recording = backend.record(() => {
        // Memory that comes and goes, and a number from the host: y = 2 (x + 10).
        const [ten, sum] = [backend.alloc(8), backend.alloc(8)]
        backend.write(ten, Float32Array.of(10, 10))
        backend.axpby(sum, 1, x, 1, ten, 2, 'f32')
        backend.free(ten)
        const again = backend.alloc(8)
        backend.axpby(again, 1, sum, 1, sum, 2, 'f32')
        backend.axpby(y, 1, again, 0, again, 2, 'f32')
        backend.free(sum)
        backend.free(again)
      })
      await expectValues('before a replay', backend, y, '7 7')
      recording.replay()
      await expectValues('a replay', backend, y, '22 24')
      backend.write(x, Float32Array.of(5, 6))
      // Others get no memory that the recording works in.
      const others = Array.from({ length: 4 }, () => backend.alloc(8))
      for (const other of others) backend.fill(other, 3, 2, 'f32')
      recording.replay()
      recording.replay()
      await expectValues('a replay on other numbers', backend, y, '30 32')
      for (const other of others) {
        await expectValues('a buffer of others', backend, other, '3 3')
        backend.free(other)
      }
      recording.release()
      for (const buf of [x, y]) backend.free(buf)
      const { allocated, buffers } = backend.memory()
      if (allocated !== start.allocated || buffers !== start.buffers)
        throw failure(`a recording left ${allocated - start.allocated} bytes behind`)
    },
  },
  {
    name: 'recording: what cannot be written down, and what lies elsewhere now, is refused',
    run: async (backend) => {
      if (backend.record === undefined) return
      const [x, y] = [backend.alloc(8), backend.alloc(8)]
      backend.fill(x, 1, 2, 'f32')
      let reading: Promise<unknown> | undefined
      const first = backend.record(() => {
        reading = refused('reading while recording', () => backend.read(x, new Float32Array(2)))
        backend.axpby(y, 1, x, 0, x, 2, 'f32')
      })
      await reading
      await refused('recording while recording', () =>
        backend.record!(() => {
          backend.record!(() => undefined)
        }),
      )
      first.replay()
      await expectValues('after what was refused', backend, y, '1 1')
      backend.free(x)
      await refused('a replay on a buffer that was freed', () => {
        first.replay()
      })
      first.release()
      await refused('a replay of what was released', () => {
        first.replay()
      })
      backend.free(y)
    },
  },
]
