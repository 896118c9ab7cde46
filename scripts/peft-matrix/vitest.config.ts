import { defineConfig, mergeConfig } from 'vitest/config'
import base from '../../vitest.config.js'

export default mergeConfig(
  { ...base, test: { ...base.test, projects: undefined } },
  defineConfig({ test: { include: ['scripts/peft-matrix/run.ts'], testTimeout: 600_000 } }),
)
