// Every package as npm would publish it: publint on its files and exports, arethetypeswrong on its declarations.
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const list = execFileSync('pnpm', ['-r', '--filter', './packages/**', 'ls', '--depth', '-1', '--json'], {
  cwd: root,
  encoding: 'utf8',
})
const packages = JSON.parse(list).filter((one) => !one.private)
let failed = false

const check = (name, cwd, command, args) => {
  const { status, stdout, stderr } = spawnSync('pnpm', ['exec', command, ...args], { cwd, encoding: 'utf8' })
  if (status === 0) return
  failed = true
  console.error(`${name}: ${command}\n${stdout}${stderr}`)
}

for (const { name, path } of packages) {
  check(name, root, 'publint', ['--strict', path])
  // The packages are ES modules: require() is not promised.
  check(name, root, 'attw', ['--pack', path, '--profile', 'esm-only'])
}
if (failed) process.exit(1)
console.error(`${packages.length} packages are sound`)
