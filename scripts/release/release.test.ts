import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { platformOfTarget } from '../../packages/tensor/src/native/platform.js'
import { addOns, packageOf, wanted } from './add-ons.mjs'
import { environment, linkedByZig } from './build.mjs'
import { faultsOf, glibcOf } from './check-binary.mjs'
import { withoutHash } from './file-lists.mjs'
import { elf, machO, pe } from './library.fixture.js'
import { readLibrary } from './library.mjs'
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

test.each([
  ['dist/chunk-4F2KQ7ZB.js', 'dist/chunk-*.js'],
  ['dist/adapter-set-CNXuDvt5.d.ts', 'dist/adapter-set-*.d.ts'],
  ['dist/define--_y-ckEq.d.ts', 'dist/define-*.d.ts'],
  ['dist/saved-settings.d.ts', 'dist/saved-settings.d.ts'],
  ['dist/config.schema.json', 'dist/config.schema.json'],
])('the file %s is listed as %s', (path, listed) => {
  expect(withoutHash(path)).toBe(listed)
})

describe('a native file', () => {
  const exports = ['napi_register_module_v1']
  const system = {
    elf: { exports, needs: ['libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'ld-linux-x86-64.so.2'] },
    musl: { exports, needs: ['libc.so'] },
    machO: { exports, needs: ['/usr/lib/libSystem.B.dylib'] },
    pe: { exports, needs: ['KERNEL32.dll', 'api-ms-win-core-synch-l1-2-0.dll', 'bcryptprimitives.dll'] },
  }

  test('says what it exports and needs, in each format', () => {
    const content = { exports: ['one', 'other'], needs: ['a', 'b'] }
    expect(readLibrary(elf({ machine: 1, ...content }))).toEqual({
      ...{ format: 'ELF', machine: 1, oldest: null },
      ...content,
    })
    expect(readLibrary(machO({ machine: 2, oldest: [12, 3], ...content }))).toEqual({
      ...{ format: 'Mach-O', machine: 2, oldest: '12.3' },
      ...content,
    })
    expect(readLibrary(pe({ machine: 3, ...content }))).toEqual({
      ...{ format: 'PE', machine: 3, oldest: null },
      ...content,
    })
  })

  test('is no library when it is text, empty or ends too early', () => {
    expect(readLibrary(Buffer.from('no library'))).toBeNull()
    expect(readLibrary(Buffer.alloc(0))).toBeNull()
    const machine = 1
    for (const whole of [elf({ machine, ...system.elf }), machO({ machine, ...system.machO })])
      expect(readLibrary(whole.subarray(0, 70))).toBeNull()
  })

  test('is recognised', () => {
    expect(faultsOf(elf({ machine: 0x3e, ...system.elf }), on('linux-x64-gnu'))).toEqual([])
    expect(faultsOf(elf({ machine: 0xb7, ...system.musl }), on('linux-arm64-musl'))).toEqual([])
    expect(faultsOf(machO({ machine: 0x0100000c, ...system.machO }), on('darwin-arm64'))).toEqual([])
    expect(faultsOf(machO({ machine: 0x01000007, ...system.machO }), on('darwin-x64'))).toEqual([])
    expect(faultsOf(pe({ machine: 0x8664, ...system.pe }), on('win32-x64-msvc'))).toEqual([])
    expect(faultsOf(pe({ machine: 0xaa64, ...system.pe }), on('win32-arm64-msvc'))).toEqual([])
  })

  test('of another system, processor or C library is refused', () => {
    expect(faultsOf(machO({ machine: 0x0100000c, ...system.machO }), on('linux-arm64-gnu'))).toEqual([
      'expected a library in the format ELF, found Mach-O',
    ])
    expect(faultsOf(Buffer.alloc(100), on('linux-x64-gnu'))).toEqual([
      'expected a library in the format ELF, found none',
    ])
    expect(faultsOf(elf({ machine: 0xb7, ...system.elf }), on('linux-x64-gnu'))).toEqual([
      'expected code for x64, found machine 0xb7',
    ])
    const glibc = elf({ machine: 0x3e, ...system.musl, text: 'GLIBC_2.17' })
    expect(faultsOf(glibc, on('linux-x64-musl'))).toEqual(['asks for glibc, expected musl'])
    expect(faultsOf(elf({ machine: 0x3e, text: 'napi_register_module_v1' }), on('linux-x64-gnu'))).toEqual([
      'does not export napi_register_module_v1',
    ])
    const late = machO({ machine: 0x0100000c, ...system.machO, oldest: [14, 0] })
    expect(faultsOf(late, on('darwin-arm64'))).toEqual(['is for macOS 14.0 or later, expected 11.0'])
  })

  test.each([
    ['linux-x64-gnu', elf({ machine: 0x3e, exports, needs: ['libstdc++.so.6'] }), 'libstdc++.so.6'],
    ['linux-x64-musl', elf({ machine: 0x3e, exports, needs: ['libc.so.6'] }), 'libc.so.6'],
    [
      'darwin-arm64',
      machO({ machine: 0x0100000c, exports, needs: ['/opt/homebrew/lib/libonig.dylib'] }),
      '/opt/homebrew/lib/libonig.dylib',
    ],
    ['win32-x64-msvc', pe({ machine: 0x8664, exports, needs: ['VCRUNTIME140.dll'] }), 'VCRUNTIME140.dll'],
  ])('for %s that needs what a system may lack is refused', (platform, bytes, name) => {
    expect(faultsOf(bytes, on(platform))).toEqual([`needs ${name}, which a system may lack`])
  })

  test.each([
    '/root/registry/a.rs',
    '/home/me/src/lib.rs',
    '/Users/me/a.rs',
    'C:\\Users\\me\\a.rs',
    '/builds/x/lib.rs',
  ])('with the path %s of its builder is refused', (text) => {
    const bytes = elf({ machine: 0x3e, ...system.elf, text })
    expect(faultsOf(bytes, on('linux-x64-gnu'), ['/builds/x/'])).toEqual([
      expect.stringContaining('holds a path of the machine that built it'),
    ])
  })

  test('says the newest glibc that it asks for', () => {
    const asking = (text: string) => glibcOf(elf({ machine: 0x3e, text }))
    expect(asking('GLIBC_2.4\0GLIBC_2.17\0GLIBC_2.2.5')).toBe('2.17')
    expect(asking('')).toBeNull()
  })
})

test('flags of a build: no path of this machine, and what each system needs', () => {
  const flags = (name: string) => environment(cpu, on(name)).CARGO_ENCODED_RUSTFLAGS.split('\x1f')
  for (const { name } of cpu.platforms)
    expect(flags(name)).toContain(`--remap-path-prefix=${root.replace(/\/$/, '')}=/ift`)
  expect(flags('darwin-arm64')).toContain('-Clink-arg=-Wl,-install_name,@rpath/kernels-cpu.darwin-arm64.node')
  expect(flags('linux-x64-musl')).toContain('-Ctarget-feature=-crt-static')
  expect(flags('win32-x64-msvc')).toContain('-Ctarget-feature=+crt-static')
  expect(flags('linux-x64-gnu').some((flag) => /install_name|crt-static/.test(flag))).toBe(false)
})

test('zig links for Windows with the libraries of MinGW, under the name of the same package', () => {
  expect(linkedByZig(on('win32-x64-msvc'))).toMatchObject({
    target: 'x86_64-pc-windows-gnullvm',
    name: 'win32-x64-msvc',
  })
  expect(linkedByZig(on('win32-arm64-msvc')).target).toBe('aarch64-pc-windows-gnullvm')
  expect(linkedByZig(on('linux-x64-gnu'))).toEqual(on('linux-x64-gnu'))
  expect(linkedByZig(on('darwin-x64'))).toEqual(on('darwin-x64'))
  const built = environment(cpu, linkedByZig(on('win32-x64-msvc')))
  expect(built.CARGO_ENCODED_RUSTFLAGS).not.toContain('crt-static')
  expect(built).toHaveProperty('CFLAGS', expect.stringContaining('-ffile-prefix-map='))
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
