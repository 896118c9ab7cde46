import { describe, test } from 'vitest'
import { backendConformance } from '@ift/tensor/testing'
import { emulatedIsBuilt, openEmulated, schedules } from './emulated.fixture.js'

// Built by pnpm --filter @ift/kernels-cuda run build:emulated.
for (const schedule of schedules)
  describe.skipIf(!emulatedIsBuilt())(`emulated, schedule ${schedule}`, () => {
    for (const { name, run } of backendConformance(() => openEmulated({ schedule }))) test(name, run)
  })
