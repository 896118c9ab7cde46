import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveConfig } from '../config/validate.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { openBackend } from './open-backend.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-devices-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

/** A package with one device; importing it leaves a file behind. */
function install(name: string, facts: object, open: string): void {
  const folder = join(dir, 'node_modules', `ift-plugin-kernels-${name}`)
  mkdirSync(folder, { recursive: true })
  const ift = { provides: { backend: { [name]: facts } } }
  const json = { name: `ift-plugin-kernels-${name}`, type: 'module', exports: './index.js', ift }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(json))
  writeFileSync(
    join(folder, 'index.js'),
    `import { writeFileSync } from 'node:fs'
    writeFileSync(new URL('loaded', import.meta.url), '')
    export const plugin = {
      name: 'backend:${name}', api: 1,
      apply({ hooks }) { hooks.backend.for('${name}').tap('${name}', () => ({ name: '${name}', open: async () => { ${open} } })) },
    }`,
  )
}
const isLoaded = (name: string) => existsSync(join(dir, `node_modules/ift-plugin-kernels-${name}/loaded`))

/** Without the packages of this repository. */
class OwnSession extends PluginSession {
  override packages() {
    return super.packages().filter((one) => one.package.startsWith('ift-plugin-kernels-'))
  }
}

test('auto opens the device of the highest preference that opens, and loads no more than it tries', async () => {
  install('fast', { preference: 50 }, `throw new Error('no such device here')`)
  install('middle', { preference: 20 }, `return { device: { kind: 'middle' } }`)
  install('slow', { preference: 1 }, `return { device: { kind: 'slow' } }`)
  install('experimental', {}, `return { device: { kind: 'experimental' } }`)
  const open = (device: string) => openBackend(new OwnSession(dir), resolveConfig({ device }, 'test'))
  expect((await open('auto')).device.kind).toBe('middle')
  expect(['fast', 'middle', 'slow', 'experimental'].filter(isLoaded)).toEqual(['fast', 'middle'])
  // By its name every one of them.
  expect((await open('experimental')).device.kind).toBe('experimental')
  await expect(open('fast')).rejects.toThrow('no such device here')
})
