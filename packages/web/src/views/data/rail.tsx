import { pathOf, route } from '../../app/routes.js'
import { RailItem, RailList } from '../../components/rail-list.js'
import { whole } from '../../format/numbers.js'
import { useSets } from './sets.js'
import { text } from './text.js'

/** Mixtures and sets that can be looked at. */
export function DataRail() {
  const words = text()
  const all = useSets()?.sets ?? []
  const shown = route.value.id ?? all[0]?.name
  if (all.length === 0) return null
  return (
    <RailList title={words.sets}>
      {all.map(({ name, title, sources, rows }) => (
        <RailItem
          key={name}
          href={pathOf('data', name)}
          text={title}
          current={name === shown}
          note={words.setNote(sources.length, whole(rows))}
        />
      ))}
    </RailList>
  )
}
