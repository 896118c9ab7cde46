import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { anchors, links } from './markdown.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

const built = new Set(['node_modules', 'dist', 'target', '.git'])
/** Files of the checkout under a folder, without what is installed or built. */
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (built.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : [path]
  })
const markdown = (folder: string) => filesIn(folder).filter((file) => file.endsWith('.md'))

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly description?: string
  readonly keywords?: readonly string[]
  readonly repository?: { readonly type: string; readonly url: string; readonly directory?: string }
  readonly homepage?: string
  readonly bugs?: string
}
const manifestOf = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest

const repository = manifestOf('package.json').repository!.url.replace(/^git\+|\.git$/g, '')
const published = filesIn('packages').filter(
  (file) => basename(file) === 'package.json' && manifestOf(file).name && !manifestOf(file).private,
)
const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...['docs', 'packages', 'examples', 'bench', 'scripts', '.changeset'].flatMap(markdown),
]

/** Says what is wrong with a link to a file of the checkout, or nothing. */
function wrong(file: string, anchor: string | undefined): string | null {
  if (!existsSync(join(root, file))) return 'is not there'
  if (anchor === undefined || !file.endsWith('.md')) return null
  return anchors(readFileSync(join(root, file), 'utf8')).has(anchor) ? null : `has no heading #${anchor}`
}

/** The file of the checkout that an address of the repository means, or null for any other address. */
function inRepository(address: string): string | null {
  const rest = address.startsWith(repository) ? address.slice(repository.length) : null
  if (rest === null || /^\/issues/.test(rest)) return null
  if (rest === '' || rest.startsWith('#')) return 'README.md'
  const match = /^\/(?:blob|tree)\/main\/(.+)$/.exec(rest)
  return match ? match[1]! : rest
}

test('links lead to files and headings that are there', () => {
  const broken = pages.flatMap((page) =>
    links(readFileSync(join(root, page), 'utf8')).flatMap(({ target, line }) => {
      const [path, anchor] = target.split('#') as [string, string | undefined]
      const own = inRepository(path)
      if (own === null && /^[a-z]+:/.test(path)) return []
      const file = own ?? (path === '' ? page : relative(root, resolve(root, dirname(page), path)))
      const fault = wrong(file, path === repository ? undefined : anchor)
      return fault === null ? [] : [`${page}:${line}: ${target} ${fault}`]
    }),
  )
  expect(broken).toEqual([])
  expect(pages.length).toBeGreaterThan(30)
})

describe.each(published)('%s', (file) => {
  const folder = dirname(file)
  const manifest = manifestOf(file)

  test('says where the package comes from', () => {
    const { description, keywords, repository: own, homepage, bugs } = manifest
    expect(own).toEqual({ type: 'git', url: `git+${repository}.git`, directory: folder })
    expect(homepage).toBe(`${repository}/tree/main/${folder}#readme`)
    expect(bugs).toBe(`${repository}/issues`)
    expect(description).toMatch(/^[a-z]?[A-Z].{20,}\.$/)
    expect(keywords).toContain('ift')
    expect(new Set(keywords).size).toBe(keywords?.length)
  })

  test('the README has no link that npm could not follow', () => {
    const readme = readFileSync(join(root, folder, 'README.md'), 'utf8')
    expect(readme.split('\n')[0]).toBe(`# ${manifest.name}`)
    expect(links(readme).filter(({ target }) => !/^(?:https:|#)/.test(target))).toEqual([])
  })
})
