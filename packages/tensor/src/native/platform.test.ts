import { expect, test } from 'vitest'
import { platformName, platformOfTarget, thisMachine } from './platform.js'

test.each([
  ['linux', 'x64', '2.36', 'x86_64-unknown-linux-gnu', 'linux-x64-gnu'],
  ['linux', 'x64', null, 'x86_64-unknown-linux-musl', 'linux-x64-musl'],
  ['linux', 'arm64', '2.17', 'aarch64-unknown-linux-gnu', 'linux-arm64-gnu'],
  ['linux', 'arm64', null, 'aarch64-unknown-linux-musl', 'linux-arm64-musl'],
  ['linux', 'arm', '2.31', 'armv7-unknown-linux-gnueabihf', 'linux-arm-gnueabihf'],
  ['linux', 'arm', null, 'armv7-unknown-linux-musleabihf', 'linux-arm-musleabihf'],
  ['linux', 'riscv64', '2.39', null, 'linux-riscv64-gnu'],
  ['darwin', 'arm64', null, 'aarch64-apple-darwin', 'darwin-arm64'],
  ['darwin', 'x64', null, 'x86_64-apple-darwin', 'darwin-x64'],
  ['win32', 'x64', null, 'x86_64-pc-windows-msvc', 'win32-x64-msvc'],
  ['win32', 'arm64', null, 'aarch64-pc-windows-msvc', 'win32-arm64-msvc'],
  ['win32', 'ia32', null, 'i686-pc-windows-msvc', 'win32-ia32-msvc'],
  ['freebsd', 'x64', null, null, 'freebsd-x64'],
])('%s on %s with glibc %s, of Rust %s: %s', (platform, arch, glibc, target, name) => {
  expect(platformName({ platform, arch, glibc })).toBe(name)
  if (target !== null) expect(platformOfTarget(target)).toBe(name)
})

test('this machine is the one that Node runs on', () => {
  const { platform, arch, glibc } = thisMachine()
  expect([platform, arch]).toEqual([process.platform, process.arch])
  if (glibc !== null) expect(glibc).toMatch(/^2\.\d+/)
  expect(platform === 'linux' || glibc === null).toBe(true)
})
