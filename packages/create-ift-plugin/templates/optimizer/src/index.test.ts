import { fileURLToPath } from 'node:url'
import { manifestConformance, optimizerConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { describe, expect, test } from 'vitest'
import { optimizer, options, plugin } from './index.js'

describe('on the reference backend', () => {
  for (const { name, run } of optimizerConformance(optimizer)) test(name, run)
})
describe('on the CPU', () => {
  const backend = () => openCpu({ threads: 2 })
  for (const { name, run } of optimizerConformance(optimizer, { backend })) test(name, run)
})
describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})

test('a momentum of 1, which forgets nothing, is refused', () => {
  expect(options.safeParse({ momentum: 1 }).success).toBe(false)
})
