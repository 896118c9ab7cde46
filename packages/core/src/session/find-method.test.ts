import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { AdapterSource } from '../contract/index.js'
import { readProvides } from '../plugin/manifest.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { findMethod } from './find-method.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-method-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const adapter = (type: string): AdapterSource => ({
  config: { peft_type: type },
  path: 'adapter_config.json',
  names: () => [],
  shape: () => [],
  read: () => Promise.resolve(new Float32Array()),
})

const catalogue = () => [
  {
    package: '@ift/peft-oft',
    description: '',
    provides: readProvides({ provides: { peft: { oft: { peftTypes: ['OFT'] } } } }, ''),
  },
]

const install = (name: string, code: string, peftTypes: string[]) => {
  const folder = join(dir, 'node_modules', name)
  mkdirSync(folder, { recursive: true })
  const provides = { peft: { [name.replace('ift-plugin-peft-', '')]: { peftTypes } } }
  const json = { name, type: 'module', exports: './index.js', ift: { provides } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(json))
  writeFileSync(join(folder, 'index.js'), code)
}
const source = (name: string, type: string) => `export const plugin = {
  name: 'peft:${name}', api: 1,
  apply({ hooks }) { hooks.peft.for('${name}').tap('${name}', () => ({ name: '${name}', peftTypes: ['${type}'] })) },
}`

install('ift-plugin-peft-hra', source('hra', 'HRA'), ['HRA'])
install('ift-plugin-peft-broken', 'throw new Error("boom")', ['HRA', 'BROKEN'])

const session = () => new PluginSession(dir, [], catalogue)

test('the method of an adapter is the installed one that says it reads its kind; a broken neighbour is passed over', async () => {
  expect(await findMethod(session(), adapter('HRA'))).toMatchObject({ name: 'hra' })
})

test('a kind of a package of ours that is absent: what to install', async () => {
  await expect(findMethod(session(), adapter('OFT'))).rejects.toMatchObject({
    code: 'IFT_ADAPTER_CONFIG',
    message: 'adapter_config.json: no installed method reads adapters of peft_type "OFT".',
    hint: expect.stringMatching(
      /^Install its package: npm install @ift\/peft-oft\nKnown: BROKEN, HRA, OFT$/,
    ) as string,
  })
})

test('a kind that nobody reads, and one whose only package cannot be loaded', async () => {
  await expect(findMethod(session(), adapter('OFTT'))).rejects.toMatchObject({
    hint: expect.stringMatching(/^Did you mean "OFT"\?\nKnown: /) as string,
  })
  await expect(findMethod(session(), adapter('BROKEN'))).rejects.toMatchObject({
    code: 'IFT_PLUGIN_LOAD',
    message: expect.stringMatching(/ift-plugin-peft-broken.*boom/) as string,
  })
})
