import './rail.css'
import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from '../components/icon.js'
import { connection, machine } from './connection.js'
import { language } from './language.js'
import { go, pathOf, route, type View } from './routes.js'
import { text } from './text.js'
import { nextTheme, theme } from './theme.js'
import { isNarrow } from './width.js'

const places: readonly { readonly view: Exclude<View, 'run'>; readonly icon: IconName }[] = [
  { view: 'chat', icon: 'chat' },
  { view: 'compare', icon: 'compare' },
  { view: 'runs', icon: 'runs' },
  { view: 'data', icon: 'data' },
  { view: 'new', icon: 'new' },
]

/** `1`–`5` go to the views. */
export const viewKeys = Object.fromEntries(
  places.map(({ view }, i) => [String(i + 1), () => go(pathOf(view))]),
)

const isCurrent = (view: View) => (route.value.view === 'run' ? 'runs' : route.value.view) === view

/** The left edge: views, the list of the view, the machine. Icons alone where it is narrow. */
export function Rail({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="rail">
      <div class="rail-brand">
        <Icon name="brand" />
        <strong class="rail-name">ift</strong>
        <span class="rail-address">{location.host}</span>
      </div>
      <nav class="rail-views" aria-label={text().views}>
        {places.map(({ view, icon }, i) => (
          <a
            key={view}
            class="rail-view"
            href={pathOf(view)}
            aria-current={isCurrent(view) ? 'page' : undefined}
            title={isNarrow.value ? `${text()[view]} (${i + 1})` : undefined}
          >
            <Icon name={icon} />
            <span class="rail-view-name">{text()[view]}</span>
            <kbd aria-hidden="true">{i + 1}</kbd>
          </a>
        ))}
      </nav>
      <div class="rail-list-place">{children}</div>
      <RailFoot />
    </div>
  )
}

const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1)

const modelWords = () => {
  const { model } = machine.value ?? {}
  if (model === null) return text().noModel
  if (model?.state === 'loading') return text().loadingModel
  if (model?.state === 'failed') return text().failedModel
  return null
}

/** Connection, device, memory, language and theme. */
export function RailFoot() {
  const found = machine.value
  const isOn = connection.value === 'connected' || connection.value === 'changed'
  const state = isOn ? text().connected : text().lost
  const note = modelWords()
  return (
    <aside class="rail-foot" aria-label={text().machine}>
      <div class="rail-line">
        <span class={`rail-state${isOn ? '' : ' rail-state-lost'}`} title={state}>
          <Icon name={isOn ? 'dot' : 'warning'} size={12} />
          <span class="rail-state-name">{state}</span>
        </span>
        <span class="rail-device" title={found?.device}>
          {found?.device}
        </span>
      </div>
      {note !== null && <div class="rail-line rail-note">{note}</div>}
      {found && (
        <>
          <div class="rail-line">
            <span>{text().memory}</span>
            <span>{`${gib(found.memory.used)} / ${gib(found.memory.total)} GiB`}</span>
          </div>
          <div
            class="rail-memory"
            role="img"
            aria-label={text().ofMemory(gib(found.memory.used), gib(found.memory.total))}
          >
            <div style={{ width: `${(100 * found.memory.used) / found.memory.total}%` }} />
          </div>
        </>
      )}
      <div class="rail-line rail-choices">
        <button
          type="button"
          class="rail-choice"
          onClick={() => (language.value = language.value === 'en' ? 'zh' : 'en')}
        >
          <span class="for-readers">{text().language}: </span>
          {language.value === 'en' ? (
            <>
              <b>EN</b>
              <span class="rail-choice-other" lang="zh-CN">
                {' '}
                · 中文
              </span>
            </>
          ) : (
            <>
              <b>中文</b>
              <span class="rail-choice-other"> · EN</span>
            </>
          )}
        </button>
        <button
          type="button"
          class="rail-choice"
          aria-label={`${text().theme}: ${text()[theme.value]}`}
          onClick={nextTheme}
        >
          <Icon name={theme.value === 'light' ? 'sun' : theme.value === 'dark' ? 'moon' : 'system'} />
          <span class="rail-choice-name">{text()[theme.value]}</span>
        </button>
      </div>
    </aside>
  )
}

/** The five views at the bottom of a phone. */
export function Tabs() {
  return (
    <nav class="tabs" aria-label={text().views}>
      {places.map(({ view, icon }) => (
        <a key={view} class="tab" href={pathOf(view)} aria-current={isCurrent(view) ? 'page' : undefined}>
          <Icon name={icon} size={20} />
          {view === 'new' ? text().newShort : text()[view]}
        </a>
      ))}
    </nav>
  )
}
