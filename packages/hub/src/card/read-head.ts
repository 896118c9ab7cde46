import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readRegular } from '@ift/core'

/** The head of a card is its first lines; files of this size have none that is longer. */
const mostCardBytes = 1 << 20

/** The licence that the card in a folder states; null without one, and for a card that cannot be read. */
export async function licenceOfCard(dir: string): Promise<string | null> {
  const path = join(dir, 'README.md')
  if (!existsSync(path)) return null
  const text = await readRegular(path, mostCardBytes).then(
    (bytes) => bytes.toString('utf8'),
    () => '',
  )
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? ''
  const value = (key: string) =>
    new RegExp(`^${key}:[ \\t]*["']?([\\w .+-]{1,100}?)["']?[ \\t]*$`, 'm').exec(head)?.[1]
  const license = value('license')
  return (license === 'other' ? value('license_name') : undefined) ?? license ?? null
}
