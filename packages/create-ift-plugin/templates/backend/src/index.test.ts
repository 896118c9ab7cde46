import { fileURLToPath } from 'node:url'
import { manifestConformance } from '@ift/core/testing'
import { backendConformance } from '@ift/tensor/testing'
import { describe, expect, test } from 'vitest'
import { open__Name__ } from './device.js'
import { backend, plugin } from './index.js'

describe('every kernel is the reference, over types, sizes and masks', () => {
  for (const { name, run } of backendConformance(open__Name__)) test(name, run)
})

test('a second device is refused', () => {
  expect(() => backend.open({ index: 1, threads: null })).toThrow('__name__:1: there is one device')
})

describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})
