import { collectionConformance } from '@ift/core/testing'
import { test } from 'vitest'
import { plugin } from './index.js'

for (const { name, run } of collectionConformance(plugin, new URL('..', import.meta.url))) test(name, run)
