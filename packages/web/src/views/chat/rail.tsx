import { useEffect, useState } from 'preact/hooks'
import {
  download,
  exported,
  forget,
  history,
  importFile,
  isKept,
  refused,
  search,
} from '../../app/history.js'
import { go, pathOf, route } from '../../app/routes.js'
import { IconButton } from '../../components/button.js'
import { ask } from '../../components/dialog.js'
import { Menu } from '../../components/menu.js'
import { Notice } from '../../components/notice.js'
import { RailItem, RailList } from '../../components/rail-list.js'
import { toast } from '../../components/toast.js'
import { isComparison } from '../compare/comparison.js'
import { text } from './text.js'
import { isConversation } from './tree.js'

/** Most bytes of a file that is taken in. */
const mostBytes = 256 * 2 ** 20

/** Opens a file that is chosen, and hands its text over. */
export function chooseFile(accept: string, use: (text: string, name: string) => void): void {
  const field = document.createElement('input')
  field.type = 'file'
  field.accept = accept
  field.onchange = () => {
    const file = field.files?.[0]
    if (file)
      void file
        .slice(0, mostBytes)
        .text()
        .then((content) => use(content, file.name))
  }
  field.click()
}

/** A list of what this browser keeps of a kind. */
export function HistoryRail({
  kind,
  title,
  none,
}: {
  readonly kind: 'chat' | 'compare'
  readonly title: string
  readonly none: string
}) {
  const [wanted, setWanted] = useState('')
  const [found, setFound] = useState<ReadonlySet<string> | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const all = history.value.filter((entry) => entry.kind === kind)
  useEffect(() => {
    if (wanted.trim() === '') {
      setFound(null)
      return
    }
    let isOld = false
    const timer = setTimeout(() => {
      void search(kind, wanted.trim()).then((ids) => {
        if (!isOld) setFound(ids)
      })
    }, 150)
    return () => {
      isOld = true
      clearTimeout(timer)
    }
  }, [wanted, all.length])
  const shown = found === null ? all : all.filter(({ id }) => found.has(id))
  const items = [
    {
      ...{ text: text().exportAll, icon: 'download' as const, off: all.length === 0 },
      run: () => void exported(all).then((value) => download(`ift-${kind}.json`, value)),
    },
    {
      ...{ text: text().importFile, icon: 'file' as const },
      run: () =>
        chooseFile('.json,application/json', (content) => {
          importFile(content, (of, body) => (of === 'chat' ? isConversation(body) : isComparison(body))).then(
            (count) => {
              setProblem(null)
              toast(text().imported(count))
            },
            (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
          )
        }),
    },
    {
      ...{ text: text().deleteAll, icon: 'trash' as const, destructive: true, off: all.length === 0 },
      run: () =>
        ask({
          title: text().deleteAllTitle(all.length),
          text: text().deleteAllText,
          cancel: text().keep,
          actions: [
            {
              ...{ text: text().deleteAll, kind: 'destructive' },
              run: () => {
                void forget(all.map(({ id }) => id))
                go(pathOf(kind))
              },
            },
          ],
        }),
    },
  ]
  return (
    <RailList
      title={title}
      onSearch={setWanted}
      beside={
        <>
          <IconButton icon="plus" label={text().newHint} onClick={() => go(pathOf(kind))} />
          <Menu label={text().options} items={items} note={isKept.value ? text().keptHere : text().notKept} />
        </>
      }
    >
      {refused.value !== null && (
        <li>
          <Notice title={text().refused}>{refused.value}</Notice>
        </li>
      )}
      {problem !== null && (
        <li>
          <Notice title={text().importFailed}>{problem}</Notice>
        </li>
      )}
      {shown.length === 0 && <li class="rail-none">{found === null ? none : text().nothingFound}</li>}
      {shown.map(({ id, title: name }) => (
        <RailItem key={id} href={pathOf(kind, id)} text={name} current={route.value.id === id} />
      ))}
    </RailList>
  )
}

export function ChatRail() {
  return <HistoryRail kind="chat" title={text().conversations} none={text().none} />
}
