import './finder.css'
import { signal } from '@preact/signals'
import { createPortal } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { getJson } from '../api/client.js'
import type { RunsReply } from '../api/types.js'
import { useLayer } from '../components/layer.js'
import { Picker, type PickerItem } from '../components/picker.js'
import { history } from './history.js'
import { language } from './language.js'
import { go, pathOf } from './routes.js'
import { text } from './text.js'
import { theme, type Theme } from './theme.js'

export const isFinding = signal(false)

interface Found extends PickerItem {
  readonly run: () => void
}

const close = () => (isFinding.value = false)

/** Anything by its name: views, conversations, comparisons, runs, settings. */
export function Finder() {
  const layer = useLayer<HTMLDivElement>(close, { modal: true })
  const [runs, setRuns] = useState<RunsReply['runs']>([])
  useEffect(() => {
    const ended = new AbortController()
    getJson<RunsReply>('/api/runs', { signal: ended.signal }).then(
      (found) => setRuns(found.runs),
      // Without them the rest can be found.
      () => undefined,
    )
    return () => ended.abort()
  }, [])
  const words = text()
  const goTo = (key: string, name: string, group: string, path: string): Found => ({
    ...{ key, text: name, group },
    run: () => go(path),
  })
  const themes: readonly Theme[] = ['light', 'dark', 'system']
  const items: readonly Found[] = [
    ...(['chat', 'compare', 'runs', 'data', 'new'] as const).map((view) =>
      goTo(view, words[view], words.views, pathOf(view)),
    ),
    ...history.value.map(({ id, kind, title }) =>
      goTo(
        `${kind} ${id}`,
        title,
        kind === 'chat' ? words.conversations : words.comparisons,
        pathOf(kind, id),
      ),
    ),
    ...runs.map(({ id, name }) => goTo(`run ${id}`, name, words.runs, pathOf('run', id))),
    ...themes.map((one) => ({
      ...{ key: `theme ${one}`, text: words.switchTheme(words[one]), group: words.actions },
      run: () => void (theme.value = one),
    })),
    {
      ...{ key: 'language', text: words.switchLanguage, group: words.actions },
      run: () => void (language.value = language.value === 'en' ? 'zh' : 'en'),
    },
  ]
  return createPortal(
    <div class="dialog-veil finder-veil" onClick={(event) => event.target === event.currentTarget && close()}>
      <div
        ref={layer}
        class="dialog finder"
        role="dialog"
        aria-modal="true"
        aria-label={words.find}
        tabIndex={-1}
        data-layer
      >
        <Picker
          search
          label={words.find}
          placeholder={words.findPlaceholder}
          items={items}
          onPick={(key) => {
            close()
            items.find((item) => item.key === key)?.run()
          }}
        />
      </div>
    </div>,
    document.body,
  )
}
