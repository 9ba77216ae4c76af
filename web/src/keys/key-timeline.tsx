import type { KeyFieldsFragment } from '../../../documents/generated.js'
import { onDay } from '../parts/time.js'
import { REASON_WORDS, STATE_WORDS } from './key-states.js'
import { labelOf, lifeOf, type Scale, scaleOf, ticksOf } from './timeline-scale.js'

interface Props {
  keys: readonly KeyFieldsFragment[]
  chosen: number | null
  onChoose: (version: number) => void
}

/** The lives of all versions on one axis of time, to scale, with what is planned for them. The latest is on top. */
export function KeyTimeline({ keys, chosen, onChoose }: Props) {
  const now = Date.now()
  const scale = scaleOf(keys, now)
  return (
    <figure className="timeline">
      <ol className="lives">
        {keys.toReversed().map((key) => (
          <Life key={key.version} version={key} scale={scale} isChosen={key.version === chosen} onChoose={onChoose} />
        ))}
      </ol>
      <div className="ticks" aria-hidden="true">
        {ticksOf(scale).map((at) => (
          <span key={at} style={{ left: scale.percent(at) }}>
            {labelOf(at, scale)}
          </span>
        ))}
      </div>
      <figcaption className="legend">
        <span className="key-active">encrypts and decrypts</span>
        <span className="key-deactivated">decrypts only</span>
        <span className="key-compromised">compromised</span>
        <span className="key-pending_destruction">to be destroyed</span>
        <span className="key-destroyed">destroyed</span>
        <span className="mark-planned">planned</span>
        <span className="mark-now">now</span>
      </figcaption>
    </figure>
  )
}

interface LifeProps {
  version: KeyFieldsFragment
  scale: Scale
  isChosen: boolean
  onChoose: (version: number) => void
}

function Life({ version: key, scale, isChosen, onChoose }: LifeProps) {
  const { version, state, rotationReason, messageCount } = key
  const { begin, used, end, planned } = lifeOf(key, scale.now)
  const past = `Active from ${onDay(begin)}${used < scale.now ? ` to ${onDay(used)}` : ''}. ${STATE_WORDS[state]}.`
  const plan = planned === null ? '' : ` ${state === 'ACTIVE' ? 'Rotates' : 'Is destroyed'} ${onDay(planned)}.`
  return (
    <li className={isChosen ? 'life chosen' : 'life'}>
      <button type="button" className="life-name" aria-pressed={isChosen} onClick={() => onChoose(version)}>
        <strong>v{version}</strong> {REASON_WORDS[rotationReason]}
        <span className="hint">
          {' '}
          · {messageCount} {messageCount === 1 ? 'message' : 'messages'}
        </span>
      </button>
      <div className="track" role="img" aria-label={past + plan} title={past + plan}>
        {ticksOf(scale).map((at) => (
          <span key={at} className="tick" style={{ left: scale.percent(at) }} />
        ))}
        <span className="life-bar key-active" style={scale.span(begin, used)} />
        {end > used && (
          <span
            className={`life-bar key-${key.destroyedAt ? 'deactivated' : state.toLowerCase()}`}
            style={scale.span(used, end)}
          />
        )}
        {planned !== null && (
          <>
            <span className="planned" style={scale.span(end, planned)} />
            <span className="planned-at" style={{ left: scale.percent(planned) }} />
          </>
        )}
        {key.destroyedAt && (
          <>
            <span className="destroyed-at" style={{ left: scale.percent(end) }} />
            <span className="destroyed-since" style={scale.span(end, scale.now)} />
          </>
        )}
        <span className="now" style={{ left: scale.percent(scale.now) }} />
      </div>
    </li>
  )
}
