import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { addonFile, loadAddon, type AddonPlace } from './load-addon.js'
import type { Machine } from './platform.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-addon-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const targets = ['x86_64-unknown-linux-gnu', 'x86_64-unknown-linux-musl', 'aarch64-apple-darwin']

/** A package with an add-on, and where it lies. */
function place(binaryName: string, more: Partial<AddonPlace> = {}): AddonPlace {
  const folder = join(dir, binaryName)
  mkdirSync(join(folder, 'dist'), { recursive: true })
  const napi = { binaryName, targets }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: `@acme/${binaryName}`, version: '1.2.3', napi }),
  )
  return {
    ...{ what: 'the test', code: 'IFT_BACKEND_UNAVAILABLE' },
    ...{ from: pathToFileURL(join(folder, 'dist', 'index.js')).href, ...more },
  }
}

/** Installs a package that exports its own name. */
function install(name: string, version = '1.2.3') {
  const folder = join(dir, 'node_modules', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, main: 'addon.js' }))
  writeFileSync(join(folder, 'addon.js'), `module.exports = ${JSON.stringify(name)}`)
}

const glibc: Machine = { platform: 'linux', arch: 'x64', glibc: '2.36' }
const musl: Machine = { platform: 'linux', arch: 'x64', glibc: null }

test('the package for the system is loaded, by the C library too', () => {
  install('@acme/both-linux-x64-gnu')
  install('@acme/both-linux-x64-musl')
  expect(loadAddon(place('both'), glibc)).toBe('@acme/both-linux-x64-gnu')
  expect(loadAddon(place('both'), musl)).toBe('@acme/both-linux-x64-musl')
})

test('a file built in the package comes first', () => {
  install('@acme/built-linux-x64-gnu')
  writeFileSync(addonFile(place('built'), glibc)!, 'no library')
  expect(() => loadAddon(place('built'), glibc)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(
        /the native add-on of the test cannot be loaded: .*built\.linux-x64-gnu\.node/,
      ) as string,
      hint: 'pnpm --filter @acme/built run build:native',
    }),
  )
  expect(() => loadAddon(place('built'), musl)).toThrow('is missing')
})

test('an add-on that is not there: where it was looked for, and what to type', () => {
  const file = addonFile(place('none'), glibc)!
  expect(() => loadAddon(place('none'), glibc)).toThrow(
    expect.objectContaining({
      code: 'IFT_BACKEND_UNAVAILABLE',
      message: `the native add-on of the test is missing: neither ${file} nor the package @acme/none-linux-x64-gnu exists`,
      hint: 'npm install @acme/none-linux-x64-gnu@1.2.3 (optional dependencies must not be left out), or in a checkout: pnpm --filter @acme/none run build:native',
    }),
  )
})

test('node_modules from another system are recognised', () => {
  install('@acme/moved-darwin-arm64')
  expect(() => loadAddon(place('moved'), musl)).toThrow(
    expect.objectContaining({
      message:
        'the native add-on of the test is missing: this is linux-x64-musl, and node_modules holds that of darwin-arm64',
      hint: 'node_modules comes from another system: delete it and install again on this one',
    }),
  )
})

test('another version is not loaded', () => {
  install('@acme/old-linux-x64-gnu', '1.2.2')
  expect(() => loadAddon(place('old'), glibc)).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('@acme/old-linux-x64-gnu 1.2.2, and @acme/old is 1.2.3') as string,
      hint: expect.stringContaining('npm install @acme/old-linux-x64-gnu@1.2.3') as string,
    }),
  )
})

test('a build that no package holds', () => {
  const own = place('whole', { local: { binary: 'part', script: 'build:part' } })
  const file = addonFile(own, glibc)!
  expect(file).toMatch(/part\.linux-x64-gnu\.node$/)
  install('@acme/whole-linux-x64-gnu')
  expect(() => loadAddon(own, glibc)).toThrow(
    expect.objectContaining({
      message: `the native add-on of the test is missing: ${file} does not exist`,
      hint: 'pnpm --filter @acme/whole run build:part',
    }),
  )
})

test('a system that it cannot be built for is named, with those that there are', () => {
  const other = place('none', { systems: ['linux-x64'] })
  const windows: Machine = { platform: 'win32', arch: 'arm64', glibc: null }
  expect(addonFile(other, windows)).toBeUndefined()
  expect(() => loadAddon(other, windows)).toThrow(
    expect.objectContaining({
      message:
        'the test is not built for win32-arm64-msvc; it is for linux-x64-gnu, linux-x64-musl, darwin-arm64',
      hint: undefined,
    }),
  )
})

test.each([
  ['freebsd', 'x64', null, 'freebsd-x64'],
  ['linux', 'riscv64', '2.39', 'linux-riscv64-gnu'],
  ['linux', 'arm64', null, 'linux-arm64-musl'],
  ['win32', 'arm64', null, 'win32-arm64-msvc'],
])(
  'a system without a package, %s on %s with glibc %s: how to build it there, and what was built',
  (platform, arch, glibc, name) => {
    const there: Machine = { platform, arch, glibc }
    expect(() => loadAddon(place(name), there)).toThrow(
      expect.objectContaining({
        message: `the test is not built for ${name}; it is for linux-x64-gnu, linux-x64-musl, darwin-arm64`,
        hint: `From the sources, in a checkout on this machine: pnpm --filter @acme/${name} run build:native`,
      }),
    )
    writeFileSync(addonFile(place(name), there)!, 'no library')
    expect(() => loadAddon(place(name), there)).toThrow(/cannot be loaded/)
  },
)
