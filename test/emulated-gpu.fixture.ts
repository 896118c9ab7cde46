import type { IftPlugin } from '@ift/core'
import type { EmulatedAddon } from '../packages/kernels-cuda/src/addon.js'
import { openEmulated } from '../packages/kernels-cuda/src/emulated.js'
import { load } from '../packages/kernels-cuda/src/load.js'

// A plugin of the built command line: the emulated GPU as device `cuda`, and what a rank does instead of its work. FAULT is
// "KIND RANK": the rank kills itself as it joins the others (kill-join), while its data is read (kill-data) or after its
// second step (kill-step); it joins with an id that is none (bad-id) or with that of a world of its own (other-id).

const [fault, at] = (process.env['FAULT'] ?? '').split(' ')
const wanted = (kind: string) => fault === kind && process.env['IFT_RANK'] === at
const die = () => {
  process.kill(process.pid, 'SIGKILL')
}

function faultyId(id: Uint8Array, library: string | null): Uint8Array {
  if (wanted('kill-join')) die()
  if (wanted('bad-id')) return id.map((byte) => byte ^ 255)
  if (!wanted('other-id')) return id
  const other = (load('kernels-cuda-emu', '', false) as EmulatedAddon).commId(library)
  if ('code' in other) throw new Error(other.message)
  return other
}

export const plugin: IftPlugin = {
  name: 'emulated-gpu',
  api: 1,
  apply({ hooks }) {
    hooks.backend.for('cuda').tap('emulated', () => ({
      name: 'cuda',
      async open({ ranks }) {
        const backend = openEmulated()
        if (!ranks) return backend
        const { place, library, timeout } = ranks
        const exchange = async (bytes: Uint8Array | null) => faultyId(await ranks.exchange(bytes), library)
        await backend.join({ ...place, library, timeout, exchange })
        return backend
      },
    }))
    if (wanted('kill-data'))
      hooks.example.tap('fault', (example) => {
        die()
        return example
      })
    if (wanted('kill-step'))
      hooks.trainer.tap('fault', (trainer) => {
        trainer.hooks.step.tap('fault', ({ step }) => {
          if (step === 2) die()
        })
      })
  },
}
