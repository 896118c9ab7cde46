import './view.css'
import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { connection } from '../../app/connection.js'
import { history } from '../../app/history.js'
import { useKeys } from '../../app/keys.js'
import { go, pathOf, route } from '../../app/routes.js'
import { oneOf, stored } from '../../app/stored.js'
import { useTabTitle } from '../../app/tab-title.js'
import { isNarrow, isPhone } from '../../app/width.js'
import { Button, IconButton } from '../../components/button.js'
import { Drawer } from '../../components/drawer.js'
import { Empty } from '../../components/empty.js'
import { Notice } from '../../components/notice.js'
import { Segmented } from '../../components/segmented.js'
import { TopBar } from '../../components/top-bar.js'
import { Composer } from '../chat/composer.js'
import { EntryMenu } from '../chat/entry-menu.js'
import { ModelPicker } from '../chat/model-picker.js'
import { models, watchModels } from '../chat/models.js'
import { SamplingFields, SystemField } from '../chat/parameter-drawer.js'
import { brief } from '../chat/parameters.js'
import { chooseFile } from '../chat/rail.js'
import { text as chatText } from '../chat/text.js'
import type { ViewProps } from '../index.js'
import { promptsOf } from './comparison.js'
import { Likely } from './likely.js'
import { RoundView, type Mark } from './round.js'
import { comparisonOf, newComparison, type CompareSession } from './session.js'
import { text } from './text.js'

const mark = stored<Mark>('compare.mark', () => 'words', oneOf('words', 'probability', 'off'))
/** Parameters stand in the column at the right instead of the scores. */
const isSetting = signal(false)
const isOver = signal(false)

export function CompareView({ id }: ViewProps) {
  const [session, setSession] = useState<CompareSession | null>(null)
  watchModels()
  useEffect(() => {
    if (id === null) setSession(newComparison())
    else {
      let isOld = false
      void comparisonOf(id).then((found) => {
        if (!isOld) setSession(found)
      })
      return () => {
        isOld = true
      }
    }
  }, [id])
  if (session === null || (id !== null && session.id !== id)) return <TopBar title={text().title} />
  return <Comparing key={session.id} session={session} />
}

function Comparing({ session }: { readonly session: CompareSession }) {
  const { rounds, parameters } = session.comparison.value
  const { query } = route.value
  const [draft, setDraft] = useState(query.get('prompt') ?? '')
  const [shown, setShown] = useState<'a' | 'b'>('b')
  const [isEmptyFile, setEmptyFile] = useState(false)
  useTabTitle(history.value.find(({ id }) => id === session.id)?.title ?? text().title)
  useEffect(() => {
    const [a, b] = [query.get('a'), query.get('b')]
    if (a !== null || b !== null) session.set({ ...(a !== null && { a }), ...(b !== null && { b }) })
  }, [])
  useEffect(() => {
    if (rounds.length > 0 && route.value.view === 'compare' && route.value.id !== session.id)
      go(pathOf('compare', session.id), { replace: true })
  }, [rounds.length])
  const toggle = () => {
    if (isNarrow.value) {
      isOver.value = !isOver.value
      isSetting.value = false
    } else isSetting.value = !isSetting.value
  }
  const isWriting = session.isWriting.value
  useKeys({ Escape: { run: () => session.stop(), whileTyping: true }, p: toggle })
  const ask = (prompts: readonly string[]) => {
    session.ask(prompts)
    setDraft('')
  }
  const settings = `T ${brief(parameters.temperature)} · top-p ${brief(parameters.topP)} · ${text().atMost(parameters.maxTokens.toLocaleString('en'))}`
  const marks = (
    <Segmented
      label={text().mark}
      options={(['words', 'probability', 'off'] as const).map((value) => ({
        value,
        text: text().marks[value],
      }))}
      value={mark.value}
      onChange={(value) => (mark.value = value)}
    />
  )
  return (
    <>
      <TopBar
        title={text().title}
        beside={
          <>
            <span class="compare-seed">
              {text().sameSeed(parameters.seed === null ? chatText().random : String(parameters.seed))}
            </span>
            <span class="compare-settings">{settings}</span>
          </>
        }
        actions={
          <>
            {!isPhone.value && (
              <>
                <span class="compare-mark">{text().mark}</span>
                {marks}
              </>
            )}
            <EntryMenu id={session.id} kind="compare" onDelete={() => session.stop()} />
            <IconButton
              icon="sliders"
              label={text().scores}
              keys="P"
              pressed={isNarrow.value ? isOver.value : isSetting.value}
              onClick={toggle}
            />
          </>
        }
      />
      <div class="compare">
        <div class="compare-main">
          {isPhone.value && (
            <div class="compare-switch">
              <Segmented
                label={text().sides}
                options={(['a', 'b'] as const).map((name) => ({ value: name, text: name.toUpperCase() }))}
                value={shown}
                onChange={setShown}
              />
              {marks}
            </div>
          )}
          <div class={`compare-heads${isPhone.value ? ' compare-one' : ''}`}>
            {(['a', 'b'] as const).map((name) =>
              isPhone.value && name !== shown ? null : (
                <div key={name} class="compare-head">
                  <span class={`side-letter side-letter-${name.toUpperCase()}`}>{name.toUpperCase()}</span>
                  <ModelPicker
                    plain
                    value={session.model(name)}
                    onChange={(id) => session.set({ [name]: id })}
                  />
                </div>
              ),
            )}
          </div>
          <div class="compare-rounds">
            {rounds.length === 0 && (
              <div class="compare-empty">
                <Empty title={text().empty} text={text().emptyText} />
                {models.value.length === 1 && (
                  <Empty
                    title=""
                    text={text().oneModel}
                    command="npx ift serve --weights ./model --adapter run/adapter"
                  />
                )}
              </div>
            )}
            {rounds.map((round) => (
              <RoundView
                key={round.id}
                {...{ session, round }}
                mark={mark.value}
                shown={isPhone.value ? shown : null}
              />
            ))}
          </div>
          <div class="compare-foot">
            {isEmptyFile && (
              <Notice kind="caution" title={text().noPrompts}>
                {text().noPromptsText}
              </Notice>
            )}
            <Composer
              value={draft}
              onInput={setDraft}
              placeholder={text().ask}
              off={models.value.length === 0 || connection.value === 'lost'}
              onSend={() => ask([draft])}
              onStop={isWriting ? () => session.stop() : null}
            >
              <span class="compare-file">
                <Button
                  kind="quiet"
                  small
                  icon="lines"
                  onClick={() =>
                    chooseFile('.txt,.json,.jsonl,text/plain,application/json', (content, name) => {
                      const prompts = promptsOf(content, name)
                      setEmptyFile(prompts.length === 0)
                      if (prompts.length > 0) ask(prompts)
                    })
                  }
                >
                  {isPhone.value ? text().fileShort : text().fromFile}
                </Button>
              </span>
            </Composer>
          </div>
        </div>
        <Drawer
          label={text().results}
          open={!isNarrow.value || isOver.value}
          onClose={() => (isOver.value = false)}
        >
          {isSetting.value || isNarrow.value ? <Settings session={session} /> : null}
          {!isSetting.value && <Likely session={session} />}
        </Drawer>
      </div>
    </>
  )
}

function Settings({ session }: { readonly session: CompareSession }) {
  const { parameters, system } = session.comparison.value
  return (
    <div class="parameters compare-parameters">
      <h2 class="parameters-title">{text().parameters}</h2>
      <SamplingFields parameters={parameters} onChange={(change) => session.set({ parameters: change })} />
      <SystemField value={system} onInput={(value) => session.set({ system: value })} />
    </div>
  )
}
