import { namesOf, type DatasetDefinition, type Ift, type VerbTerminal } from '@ift/core'

/** What is known of a dataset without its package being loaded. */
type Facts = Partial<Pick<DatasetDefinition, 'description' | 'license' | 'tags' | 'size'>>

const row = ({ description = '', license, tags, size }: Facts): string =>
  [
    description,
    size ? `${size.count.toLocaleString('en')} ${size.unit},` : '',
    [tags && [...tags.lang, ...tags.task, ...tags.gen].join('/'), license].filter(Boolean).join(', '),
  ]
    .filter(Boolean)
    .join(' ')

/** Shows the datasets that names in the config lead to, and those of this project that can be installed; none is loaded. */
export function listDatasets(ift: Ift, terminal: VerbTerminal, json: boolean): number {
  const there = new Map<string, Facts & { readonly package?: string }>()
  const absent = new Map<string, Facts & { readonly package: string }>()
  for (const name of ift.hooks.dataset.names()) there.set(name, ift.hooks.dataset.find(name)!)
  for (const { package: of, provides } of ift.packages())
    for (const name of namesOf(provides, 'dataset'))
      if (!there.has(name)) there.set(name, { package: of, ...provides.dataset[name] })
  for (const { package: of, provides } of ift.catalogue())
    for (const name of namesOf(provides, 'dataset'))
      if (!there.has(name)) absent.set(name, { package: of, ...provides.dataset[name] })
  if (json) {
    const rows = (from: ReadonlyMap<string, Facts & { readonly package?: string }>) =>
      [...from].map(([name, { package: of, description, license, tags, size }]) => {
        return { name, package: of, description, license, tags, size }
      })
    terminal.json({ installed: rows(there), installable: rows(absent) })
    return 0
  }
  if (there.size)
    terminal.table(
      [...there].map(([name, facts]) => [name, row(facts)]),
      'Installed',
    )
  else terminal.note('No dataset package is installed beside the config.')
  if (absent.size) {
    terminal.table(
      [...absent].map(([name, facts]) => [name, `${row(facts)}: npm install ${facts.package}`]),
      'To install',
    )
  }
  return 0
}
