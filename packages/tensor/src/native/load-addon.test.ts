import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test, vi } from 'vitest'
import { addonFile, loadAddon, type AddonPlace } from './load-addon.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-addon-'))
mkdirSync(join(dir, 'dist'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const place = (binary: string, more: Partial<AddonPlace> = {}): AddonPlace => ({
  ...{ what: 'the test', code: 'IFT_BACKEND_UNAVAILABLE', build: 'make' },
  ...{ from: pathToFileURL(join(dir, 'dist', 'index.js')).href, binary, ...more },
})

test('an add-on that is not there: where it was looked for, and what to type', () => {
  const local = addonFile(place('none'))!
  expect(() => loadAddon(place('none'))).toThrow(
    expect.objectContaining({
      code: 'IFT_BACKEND_UNAVAILABLE',
      message: `the native add-on of the test is missing: neither ${local} nor the package @ift/${basename(local, '.node').replace('.', '-')} exists`,
      hint: expect.stringMatching(/^npm install @ift\/none-.*in a checkout: make$/) as string,
    }),
  )
  expect(() => loadAddon(place('none', { packaged: false }))).toThrow(
    expect.objectContaining({
      message: `the native add-on of the test is missing: ${local} does not exist`,
      hint: 'make',
    }),
  )
})

test('a file that is no add-on says what the system found', () => {
  writeFileSync(addonFile(place('text'))!, 'no library')
  expect(() => loadAddon(place('text'))).toThrow(/the native add-on of the test cannot be loaded: .*text\./)
})

test('another system is named, with those that there are', () => {
  const other = place('none', { systems: ['plan9-mips'] })
  expect(addonFile(other)).toBeUndefined()
  expect(() => loadAddon(other)).toThrow(
    `the test is not built for ${process.platform}-${process.arch}; it is for plan9-mips`,
  )
})

test.each([
  ['freebsd', 'x64', 'freebsd-x64'],
  ['linux', 'riscv64', 'linux-riscv64-gnu'],
  ['win32', 'arm64', 'win32-arm64-msvc'],
])(
  'a system without packages, %s on %s: how to build it there, and what was built',
  async (platform, arch, target) => {
    vi.resetModules()
    vi.doMock('node:process', () => ({ platform, arch }))
    try {
      const there = await import('./load-addon.js')
      expect(() => there.loadAddon(place(platform))).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(
            new RegExp(`^the test is not built for ${platform}-${arch}; it is for linux-x64, `),
          ) as string,
          hint: 'From the sources, in a checkout on this machine: make',
        }),
      )
      const file = there.addonFile(place(platform))!
      expect(basename(file)).toBe(`${platform}.${target}.node`)
      writeFileSync(file, 'no library')
      expect(() => there.loadAddon(place(platform))).toThrow(/cannot be loaded/)
    } finally {
      vi.doUnmock('node:process')
    }
  },
)
