// A user without a checkout: an empty folder, Node and npm on PATH and no compiler, packages from a registry on this machine.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'

/** A program on this machine's PATH. */
function which(name) {
  const folder = process.env.PATH.split(delimiter).find((one) => existsSync(join(one, name)))
  if (folder === undefined) throw new Error(`${name} is not installed`)
  return realpathSync(join(folder, name))
}

// What npm, and the scripts that pnpm writes for a package's commands, start.
const shellTools = ['sh', 'sed', 'dirname', 'basename', 'uname', 'env']

/**
 * `node` is the Node to use, `tools` are further programs by the name under which they are called, each a file of JavaScript or a program.
 */
export function cleanUser({ registry, node = process.execPath, tools = {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'ift-user-'))
  const bin = mkdtempSync(join(tmpdir(), 'ift-user-bin-'))
  const isWindows = process.platform === 'win32'
  if (!isWindows) {
    const programs = { ...Object.fromEntries(shellTools.map((name) => [name, which(name)])), node, ...tools }
    for (const name of ['npm', 'npx']) programs[name] ??= which(name)
    for (const [name, file] of Object.entries(programs)) symlinkSync(file, join(bin, name))
  }
  const isOfABuild = (name) => /^(CARGO|RUST|CC$|CXX$|npm_(package|lifecycle|node|exec))/.test(name)
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOfABuild(name))),
    npm_config_registry: registry,
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    ...(isWindows ? {} : { PATH: bin }),
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')

  /** Runs a command; ends the test with what it wrote when its exit code is another one. */
  function run(command, args, { cwd = folder, status = 0, input = '' } = {}) {
    const result = spawnSync(command, args, {
      cwd,
      encoding: 'utf8',
      input,
      env,
      shell: isWindows,
      maxBuffer: 1 << 28,
    })
    if (result.error || result.status !== status) {
      console.error(
        `${command} ${args.join(' ')}\nexpected exit code ${status}, found ${result.status ?? result.error}`,
      )
      console.error(result.stdout, result.stderr)
      process.exit(1)
    }
    return result
  }

  return {
    folder,
    run,
    ift: (args, options) => run('npx', ['--no-install', 'ift', ...args], options),
    /** Writes a file into the folder. */
    write(path, content) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), content)
    },
    remove() {
      rmSync(folder, { recursive: true, force: true })
      rmSync(bin, { recursive: true, force: true })
    },
  }
}

export function expect(what, ok) {
  if (!ok) {
    console.error(`expected: ${what}`)
    process.exit(1)
  }
  console.log(`ok: ${what}`)
}
