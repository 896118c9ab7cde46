// Packages as npm would publish them: publint on their files and exports, arethetypeswrong on their declarations. Alone, it
// checks every package of the repository; a release checks its tarballs.
import { execFileSync, spawnSync } from 'node:child_process'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { root } from './workspace.mjs'

/** Whether packages are sound; what is not is printed. `path` is a folder or a tarball. */
export function checkPackages(packages) {
  let isSound = true
  const check = (name, command, args) => {
    const { status, stdout, stderr } = spawnSync('pnpm', ['exec', command, ...args], {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
    if (status === 0) return
    isSound = false
    console.error(`${name}: ${command}\n${stdout}${stderr}`)
  }
  for (const { name, path } of packages) {
    const isTarball = path.endsWith('.tgz')
    check(name, 'publint', ['--strict', path])
    // A platform's package has no declarations: it is one native file.
    if (isTarball && /-(linux|darwin|win32)-/.test(name)) continue
    // The page is files for browsers, which nothing imports.
    if (name === '@ift/web') continue
    // The packages are ES modules: require() is not promised.
    check(name, 'attw', [...(isTarball ? [] : ['--pack']), path, '--profile', 'esm-only'])
  }
  return isSound
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const list = execFileSync('pnpm', ['-r', '--filter', './packages/**', 'ls', '--depth', '-1', '--json'], {
    cwd: root,
    encoding: 'utf8',
  })
  const packages = JSON.parse(list).filter((one) => !one.private)
  if (!checkPackages(packages)) process.exit(1)
  console.error(`${packages.length} packages are sound`)
}
