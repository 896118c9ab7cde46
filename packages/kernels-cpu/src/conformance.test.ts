import { describe, test } from 'vitest'
import { backendConformance } from '@ift/tensor/testing'
import { instructionSets, openCpu } from './open.js'

for (const isa of instructionSets())
  describe(isa, () => {
    for (const { name, run } of backendConformance(() => openCpu({ isa, threads: 2 }))) test(name, run)
  })
