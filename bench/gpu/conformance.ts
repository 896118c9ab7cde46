import { backendConformance } from '@ift/tensor/testing'
import type { Case } from './cases.js'
import { openDevice, type DeviceName } from './device.js'

/** The conformance suite of all backends on this device: every kernel against the reference. */
export const conformanceCases = (device: DeviceName): Case[] =>
  backendConformance(() => openDevice(device)).map(({ name, run }) => ({
    name,
    run: async () => {
      await run()
      return undefined
    },
  }))
