import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { platformOfTarget } from '../../packages/tensor/src/native/platform.js'
import { addOns, packageOf, wanted } from './add-ons.mjs'
import { faultsOf, formatOf, glibcOf } from './check-binary.mjs'
import { platformManifest, rootManifest, withWidePeers } from './pack.mjs'
import { nextBefore1, renamedSection } from './version.mjs'
import { root, workspacePackages } from '../workspace.mjs'

const cpu = addOns().find((addOn) => addOn.package === '@ift/kernels-cpu')!
const on = (name: string) => cpu.platforms.find((platform) => platform.name === name)!

describe('platforms', () => {
  test('every target has the name that the loader looks for, which is napi-rs’s', () => {
    expect(wanted().length).toBeGreaterThan(20)
    for (const { platform } of wanted()) expect(platformOfTarget(platform.target)).toBe(platform.name)
  })

  test('the CPU’s add-ons are for the same systems, whatever the package', () => {
    const names = addOns()
      .filter((addOn) => addOn.package !== '@ift/kernels-cuda')
      .map(({ platforms }) => platforms.map(({ name }) => name).join())
    expect(new Set(names).size).toBe(1)
  })

  test('packages are named after that of the add-on', () => {
    expect(packageOf(cpu, on('linux-x64-musl'))).toBe('@ift/kernels-cpu-linux-x64-musl')
  })
})

describe('packed package.json', () => {
  const manifest = {
    name: '@ift/kernels-cpu',
    version: '1.2.3',
    license: 'Apache-2.0',
    files: ['dist'],
    napi: { binaryName: 'kernels-cpu', targets: cpu.platforms.map(({ target }) => target) },
  }

  test('a platform’s says where it can be installed', () => {
    const described = (name: string) => platformManifest(manifest, cpu, on(name))
    expect(described('linux-arm64-musl')).toMatchObject({
      name: '@ift/kernels-cpu-linux-arm64-musl',
      version: '1.2.3',
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['musl'],
      main: 'kernels-cpu.linux-arm64-musl.node',
      files: ['kernels-cpu.linux-arm64-musl.node'],
    })
    expect(described('linux-x64-gnu')).toMatchObject({ libc: ['glibc'] })
    expect(described('win32-x64-msvc')).not.toHaveProperty('libc')
    expect(described('darwin-arm64')).not.toHaveProperty('libc')
  })

  test('the root’s names the platforms that are released, and no others', () => {
    const { optionalDependencies, napi } = rootManifest(manifest, cpu, [
      on('linux-x64-gnu'),
      on('darwin-arm64'),
    ]) as { optionalDependencies: unknown; napi: unknown }
    expect(optionalDependencies).toEqual({
      '@ift/kernels-cpu-linux-x64-gnu': '1.2.3',
      '@ift/kernels-cpu-darwin-arm64': '1.2.3',
    })
    expect(napi).toEqual({
      binaryName: 'kernels-cpu',
      targets: ['x86_64-unknown-linux-gnu', 'aarch64-apple-darwin'],
    })
  })
})

test('before 1.0 a plugin is held to the number of its interface, not to a minor version of the core', () => {
  const peers = (range: string) =>
    withWidePeers({ peerDependencies: { '@ift/core': range, other: '^0.1.0' } }).peerDependencies as unknown
  expect(peers('^0.2.0')).toEqual({ '@ift/core': '>=0.2.0 <1', other: '^0.1.0' })
  expect(peers('^1.2.0')).toEqual({ '@ift/core': '^1.2.0', other: '^0.1.0' })
  expect(withWidePeers({ name: 'a' })).toEqual({ name: 'a' })
})

describe('a native file', () => {
  const elf = (machine: number, text: string) => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt32BE(0x7f454c46, 0)
    bytes.writeUInt16LE(machine, 18)
    return Buffer.concat([bytes, Buffer.from(`\0napi_register_module_v1\0${text}\0`)])
  }
  const machO = (machine: number) => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt32LE(0xfeedfacf, 0)
    bytes.writeUInt32LE(machine, 4)
    return Buffer.concat([bytes, Buffer.from('_napi_register_module_v1')])
  }
  const pe = (machine: number) => {
    const bytes = Buffer.alloc(128)
    bytes.write('MZ', 0, 'latin1')
    bytes.writeUInt32LE(64, 0x3c)
    bytes.write('PE\0\0', 64, 'latin1')
    bytes.writeUInt16LE(machine, 68)
    return Buffer.concat([bytes, Buffer.from('napi_register_module_v1')])
  }

  test('is recognised', () => {
    expect(formatOf(elf(0x3e, ''))).toEqual({ format: 'ELF', machine: 0x3e })
    expect(formatOf(Buffer.from('no library'))).toBeNull()
    expect(faultsOf(elf(0x3e, ''), on('linux-x64-gnu'))).toEqual([])
    expect(faultsOf(elf(0xb7, ''), on('linux-arm64-musl'))).toEqual([])
    expect(faultsOf(machO(0x0100000c), on('darwin-arm64'))).toEqual([])
    expect(faultsOf(machO(0x01000007), on('darwin-x64'))).toEqual([])
    expect(faultsOf(pe(0x8664), on('win32-x64-msvc'))).toEqual([])
    expect(faultsOf(pe(0xaa64), on('win32-arm64-msvc'))).toEqual([])
  })

  test('of another system, processor or C library is refused', () => {
    expect(faultsOf(machO(0x0100000c), on('linux-arm64-gnu'))[0]).toBe(
      'expected a library in the format ELF, found Mach-O',
    )
    expect(faultsOf(elf(0xb7, ''), on('linux-x64-gnu'))).toEqual([
      'expected code for x64, found machine 0xb7',
    ])
    expect(faultsOf(elf(0x3e, 'GLIBC_2.17'), on('linux-x64-musl'))).toEqual(['asks for glibc, expected musl'])
    expect(faultsOf(Buffer.alloc(100), on('linux-x64-gnu'))).toContain(
      'does not export napi_register_module_v1',
    )
  })

  test.each([
    '/root/registry/a.rs',
    '/home/me/src/lib.rs',
    '/Users/me/a.rs',
    'C:\\Users\\me\\a.rs',
    '/builds/x/lib.rs',
  ])('with the path %s of its builder is refused', (path) => {
    expect(faultsOf(elf(0x3e, path), on('linux-x64-gnu'), ['/builds/x/'])).toEqual([
      expect.stringContaining('holds a path of the machine that built it'),
    ])
  })

  test('says the newest glibc that it asks for', () => {
    expect(glibcOf(elf(0x3e, 'GLIBC_2.4\0GLIBC_2.17\0GLIBC_2.2.5'))).toBe('2.17')
    expect(glibcOf(elf(0x3e, ''))).toBeNull()
  })
})

describe('versions', () => {
  test('before 1.0 a minor change is a minor version, whatever it does to ranges', () => {
    expect(nextBefore1('0.1.0', new Set(['minor', 'patch']))).toBe('0.2.0')
    expect(nextBefore1('0.2.3', new Set(['patch']))).toBe('0.2.4')
    expect(nextBefore1('0.2.3', new Set())).toBeNull()
    expect(nextBefore1('0.2.3', new Set(['major', 'minor']))).toBeNull()
    expect(nextBefore1('1.0.0', new Set(['minor']))).toBeNull()
  })

  test('only the newest section of a changelog is of another version', () => {
    const text = '# ift\n\n## 1.0.0\n\n- @ift/core@1.0.0\n\n## 0.1.0\n\n- not 1.0.0\n'
    expect(renamedSection(text, '1.0.0', '0.2.0')).toBe(
      '# ift\n\n## 0.2.0\n\n- @ift/core@0.2.0\n\n## 0.1.0\n\n- not 1.0.0\n',
    )
  })

  test('changesets name packages that there are', () => {
    const names = new Set(workspacePackages().map(({ name }) => name))
    const folder = join(root, '.changeset')
    const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md')
    const unknown = files.flatMap((file) => {
      const head = readFileSync(join(folder, file), 'utf8').split('---')[1] ?? ''
      const named = [...head.matchAll(/^['"]?([^'":]+)['"]?: (?:major|minor|patch)$/gm)].map(
        ([, name]) => name!,
      )
      return named.filter((name) => !names.has(name)).map((name) => `${file}: ${name}`)
    })
    expect(unknown).toEqual([])
  })
})
