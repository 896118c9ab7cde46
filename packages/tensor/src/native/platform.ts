import process from 'node:process'

/** What decides which native file a system can load. */
export interface Machine {
  /** `process.platform` */
  readonly platform: string
  /** `process.arch` */
  readonly arch: string
  /** Version of the glibc that Node runs on; null without one, which on Linux means musl. */
  readonly glibc: string | null
}

/** napi-rs's name of a system, in files (`kernels-cpu.linux-x64-gnu.node`) and packages (`@ift/kernels-cpu-linux-x64-gnu`). */
export function platformName({ platform, arch, glibc }: Machine): string {
  if (platform === 'win32') return `win32-${arch}-msvc`
  if (platform !== 'linux') return `${platform}-${arch}`
  return `linux-${arch}-${glibc === null ? 'musl' : 'gnu'}${arch === 'arm' ? 'eabihf' : ''}`
}

const processors: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  aarch64: 'arm64',
  i686: 'ia32',
  armv7: 'arm',
}

/** The same name from a Rust target: `linux-x64-gnu` for `x86_64-unknown-linux-gnu`. */
export function platformOfTarget(target: string): string {
  const [processor = '', , system = '', abi] = target.split('-')
  const platform = system === 'windows' ? 'win32' : system
  return [platform, processors[processor] ?? processor, abi].filter(Boolean).join('-')
}

/** The system that this process runs on. */
export function thisMachine(): Machine {
  const { platform, arch } = process
  return { platform, arch, glibc: platform === 'linux' ? glibcVersion() : null }
}

function glibcVersion(): string | null {
  const { report } = process
  // Otherwise the report looks up the name of every open connection.
  Object.assign(report, { excludeNetwork: true })
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime ?? null
}
