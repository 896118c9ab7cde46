import { useState } from 'preact/hooks'
import { Button } from '../../components/button.js'
import { Popover } from '../../components/popover.js'
import { Checkbox } from '../../components/switch.js'
import { text } from './text.js'

/** Columns that can be left out. */
const optional = [
  'base',
  'method',
  'data',
  'rate',
  'bits',
  'tokensPerSecond',
  'peak',
  'time',
  'size',
] as const
export type Optional = (typeof optional)[number]

/** Which of them are shown. */
export function ColumnChoice({
  hidden,
  onChange,
}: {
  readonly hidden: ReadonlySet<Optional>
  readonly onChange: (hidden: ReadonlySet<Optional>) => void
}) {
  const words = text()
  const [anchor, setAnchor] = useState<Element | null>(null)
  return (
    <>
      <Button
        kind="quiet"
        icon="sliders"
        onClick={(event) => {
          setAnchor(anchor === null ? (event.currentTarget as Element) : null)
        }}
      >
        {words.columns}
      </Button>
      {anchor !== null && (
        <Popover
          anchor={anchor}
          label={words.columns}
          right
          onClose={() => {
            setAnchor(null)
          }}
        >
          <div class="runs-columns">
            {optional.map((key) => (
              <Checkbox
                key={key}
                label={words[key]}
                checked={!hidden.has(key)}
                onChange={(isShown) => {
                  onChange(new Set(isShown ? [...hidden].filter((each) => each !== key) : [...hidden, key]))
                }}
              />
            ))}
          </div>
        </Popover>
      )}
    </>
  )
}
