import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkCard } from '@ift/core/collection'
import { datasetFolders, generatedFiles } from './datasets.mjs'
import { root } from './workspace.mjs'

const read = (path: string) => readFileSync(`${root}${path}`, 'utf8')

test.each(datasetFolders())(
  '%s: the card is sound, and its files are as generated (node scripts/datasets.mjs)',
  (folder) => {
    const path = `${folder}/card.json`
    expect(`${folder}/`).toContain(`/${checkCard(JSON.parse(read(path)), path).name}/`)
    for (const [name, text] of Object.entries(generatedFiles(folder)))
      expect(read(`${folder}/${name}`), `${folder}/${name}`).toBe(text)
  },
)

test.each(datasetFolders())('%s: source and test are short', (folder) => {
  for (const name of ['src/index.ts', 'src/index.test.ts'])
    expect(read(`${folder}/${name}`).trimEnd().split('\n').length, name).toBeLessThan(40)
})
