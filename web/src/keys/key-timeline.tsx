import type { KeyFieldsFragment } from '../../../documents/generated.js'
import { onDay } from '../parts/time.js'
import { STATE_WORDS } from './key-states.js'

interface Props {
  keys: readonly KeyFieldsFragment[]
  chosen: number | null
  onChoose: (version: number) => void
}

const WIDTH = 1000
const ROW = 34
const LEFT = 60
const BOTTOM = 26
const TICKS = 5

/** The lives of all versions on one axis of time, to scale, with what is planned for them. */
export function KeyTimeline({ keys, chosen, onChoose }: Props) {
  const now = Date.now()
  const { from, to, x } = scaleOf(keys, now)
  const height = keys.length * ROW + BOTTOM
  return (
    <figure className="timeline">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label="Lives of the key versions, to scale">
        {Array.from({ length: TICKS }, (_, index) => from + ((to - from) * index) / (TICKS - 1)).map((at) => (
          <g key={at}>
            <line className="tick" x1={x(at)} x2={x(at)} y1={0} y2={height - BOTTOM} />
            <text
              className="tick-text"
              x={x(at)}
              y={height - 8}
              textAnchor={at === to ? 'end' : at === from ? 'start' : 'middle'}
            >
              {labelOf(at, to - from)}
            </text>
          </g>
        ))}
        {keys.map((key, index) => (
          <Life
            key={key.version}
            version={key}
            y={index * ROW}
            now={now}
            x={x}
            isChosen={key.version === chosen}
            onChoose={onChoose}
          />
        ))}
        <line className="now" x1={x(now)} x2={x(now)} y1={0} y2={height - BOTTOM} />
      </svg>
      <figcaption className="legend">
        <span className="key-active">encrypts</span>
        <span className="key-deactivated">decrypts only</span>
        <span className="key-compromised">compromised</span>
        <span className="key-pending_destruction">to be destroyed</span>
        <span className="key-destroyed">destroyed</span>
        <span className="mark-now">now</span>
      </figcaption>
    </figure>
  )
}

interface LifeProps {
  version: KeyFieldsFragment
  y: number
  now: number
  x: (at: number) => number
  isChosen: boolean
  onChoose: (version: number) => void
}

function Life({ version: key, y, now, x, isChosen, onChoose }: LifeProps) {
  const begin = time(key.activatedAt ?? key.createdAt)
  const end = key.destroyedAt ? time(key.destroyedAt) : now
  const used = key.deactivatedAt ? time(key.deactivatedAt) : end
  const planned = key.state === 'ACTIVE' ? key.rotatesAt : key.destroyedAt ? null : key.destroysAt
  const choose = () => onChoose(key.version)
  return (
    // biome-ignore lint/a11y/useSemanticElements: there are no buttons in SVG; the table below has real ones
    <g className={`life ${isChosen ? 'chosen' : ''}`} onClick={choose}>
      <rect className="life-row" x={0} y={y} width={WIDTH} height={ROW} />
      <text className="life-name" x={8} y={y + ROW / 2 + 5}>
        v{key.version}
      </text>
      <Bar
        className="key-active"
        from={x(begin)}
        to={x(used)}
        y={y}
        title={`Active from ${onDay(begin)} to ${onDay(used)}`}
      />
      {end > used && (
        <Bar
          className={`key-${key.state.toLowerCase()}`}
          from={x(used)}
          to={x(end)}
          y={y}
          title={STATE_WORDS[key.state]}
        />
      )}
      {planned && (
        <>
          <line className="planned" x1={x(end)} x2={x(time(planned))} y1={y + ROW / 2} y2={y + ROW / 2} />
          <circle className="planned-at" cx={x(time(planned))} cy={y + ROW / 2} r={5}>
            <title>
              {key.state === 'ACTIVE' ? 'Rotates' : 'Is destroyed'} {onDay(planned)}
            </title>
          </circle>
        </>
      )}
    </g>
  )
}

function Bar({
  className,
  from,
  to,
  y,
  title
}: {
  className: string
  from: number
  to: number
  y: number
  title: string
}) {
  return (
    <rect className={className} x={from} y={y + 9} width={Math.max(2, to - from)} height={ROW - 18} rx={3}>
      <title>{title}</title>
    </rect>
  )
}

function scaleOf(keys: readonly KeyFieldsFragment[], now: number) {
  const instants = keys.flatMap(({ createdAt, activatedAt, rotatesAt, destroysAt, destroyedAt }) =>
    [createdAt, activatedAt, rotatesAt, destroysAt, destroyedAt].filter((at) => at != null).map(time)
  )
  const from = Math.min(now, ...instants)
  const to = Math.max(now + 60_000, ...instants)
  return { from, to, x: (at: number) => LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - 10) }
}

function labelOf(at: number, span: number): string {
  const style =
    span < 3 * 86_400_000
      ? { hour: '2-digit' as const, minute: '2-digit' as const }
      : { day: 'numeric' as const, month: 'short' as const, year: '2-digit' as const }
  return new Intl.DateTimeFormat(undefined, style).format(at)
}

function time(at: string): number {
  return new Date(at).getTime()
}
