import { homedir, hostname, userInfo } from 'node:os'

/** Something in a file that is nobody else's business. */
export interface Finding {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** What it looks like, without the thing itself. */
  readonly what: string
}

/** What a machine is called, and where its user is at home. */
export interface Machine {
  readonly home: string
  readonly host: string
  readonly user: string
  /** Tokens in use, which are looked for wherever they stand. */
  readonly tokens: readonly string[]
}

export const thisMachine = (tokens: readonly string[]): Machine => ({
  ...{ home: homedir(), host: hostname(), tokens },
  user: userInfo().username,
})

/** Forms of keys as those who give them out publish them, for scanners such as this. */
const keys: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a token of Hugging Face', /\bhf_[A-Za-z0-9]{30,}\b/],
  ['a key of OpenAI or Anthropic', /\bsk-[A-Za-z0-9_-]{20,}/],
  ['a token of GitHub', /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})\b/],
  ['a token of GitLab', /\bglpat-[A-Za-z0-9_-]{20,}/],
  ['a token of npm', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['a key of AWS', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['a key of Google', /\bAIza[A-Za-z0-9_-]{35}\b/],
  ['a token of Slack', /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/],
  ['a key of Weights & Biases', /\bwandb_v\d_[A-Za-z0-9_]{20,}/],
  ['a password in an address', /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>]{1,200}:[^\s/@"'<>]{1,200}@/],
  [
    'a key in a setting',
    /\b(?:api[_-]?key|access[_-]?token|secret|password)["']?\s*[:=]\s*["'][^"'\s]{12,}["']/i,
  ],
]

const places: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a path of a home folder', /(?:^|[\s"'`(=:,])(?:file:\/\/)?\/(?:home|Users)\/[^\s/"'`),:]+/],
  ['a path of a home folder', /\b[A-Za-z]:\\{1,2}(?:Users|Documents and Settings)\\{1,2}[^\s\\"']+/],
  ['a path of a home folder', /(?:^|[\s"'`(=:,])\/root\/[^\s"'`)]/],
  [
    'the name of a host',
    /\b[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,4}\.(?:local|internal|intranet|corp|lan|localdomain)\b/i,
  ],
  [
    'an address of a private network',
    /(?<![\d.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.])/,
  ],
]

const escaped = (text: string) => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)

/** What looks for the machine itself. Names that everybody's machine has say nothing, and short ones stand in any text. */
function ofMachine({ home, host, user, tokens }: Machine): readonly (readonly [string, RegExp])[] {
  const short = host.split('.')[0]!
  const isTelling = (name: string) =>
    name.length >= 4 && !/^(localhost|ubuntu|debian|linux|root|user|admin|node|runner)$/i.test(name)
  return [
    ...tokens
      .filter((token) => token !== '')
      .map((token) => ['the token of the hub', new RegExp(escaped(token))] as const),
    ...(home.length > 1
      ? [['the path of the home folder', new RegExp(`${escaped(home)}(?=[/\\\\"'\`\\s]|$)`)] as const]
      : []),
    ...[...new Set([host, short])]
      .filter(isTelling)
      .map(
        (name) =>
          [
            'the name of this machine',
            new RegExp(String.raw`(?<![\w-])${escaped(name)}(?![\w-])`, 'i'),
          ] as const,
      ),
    ...(isTelling(user)
      ? [['the name of the user', new RegExp(String.raw`[/\\]${escaped(user)}[/\\]`)] as const]
      : []),
  ]
}

/** Longest part of a line that is looked at in one piece; patterns overlap by what the longest key has. */
const piece = 1 << 16
const overlap = 1024

function* pieces(line: string): Iterable<string> {
  for (let at = 0; at === 0 || at < line.length; at += piece - overlap) yield line.slice(at, at + piece)
}

/** Looks through a text for keys, paths of homes and names of hosts. What stands there is not repeated in what is found. */
export function findSecrets(file: string, text: string, machine: Machine): Finding[] {
  const patterns = [...ofMachine(machine), ...keys, ...places]
  return text.split(/\r?\n/).flatMap((line, i) => {
    const found = new Set<string>()
    for (const part of pieces(line))
      for (const [what, pattern] of patterns) if (pattern.test(part)) found.add(what)
    return [...found].map((what) => ({ file, line: i + 1, what }))
  })
}
