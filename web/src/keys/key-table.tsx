import type { KeyFieldsFragment } from '../../../documents/generated.js'
import { ScrollRegion } from '../parts/scroll-region.js'
import { fromNow, fullTime, onDay } from '../parts/time.js'
import { REASON_WORDS, STATE_WORDS } from './key-states.js'

interface Props {
  keys: readonly KeyFieldsFragment[]
  chosen: number | null
  onChoose: (version: number) => void
}

export function KeyTable({ keys, chosen, onChoose }: Props) {
  return (
    <ScrollRegion label="Key versions">
      <table>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">State</th>
            <th scope="col">Made</th>
            <th scope="col">Activated</th>
            <th scope="col">What comes next</th>
            <th scope="col" className="number">
              Messages
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.toReversed().map((key) => (
            <tr key={key.version} className={key.version === chosen ? 'chosen' : ''}>
              <th scope="row">
                <button type="button" className="link" onClick={() => onChoose(key.version)}>
                  Version {key.version}
                </button>
              </th>
              <td>
                <span className={`state key-${key.state.toLowerCase()}`}>{STATE_WORDS[key.state]}</span>
              </td>
              <td>{REASON_WORDS[key.rotationReason]}</td>
              <td>
                {key.activatedAt ? <time title={fullTime(key.activatedAt)}>{onDay(key.activatedAt)}</time> : 'never'}
              </td>
              <td>{nextOf(key)}</td>
              <td className="number">{key.messageCount}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  )
}

function nextOf({ state, rotatesAt, destroysAt, destroyedAt }: KeyFieldsFragment): string {
  if (destroyedAt) return `destroyed ${fromNow(destroyedAt)}`
  if (state === 'ACTIVE') return rotatesAt ? `rotates ${fromNow(rotatesAt)}` : 'is not rotated by time'
  return destroysAt ? `is destroyed ${fromNow(destroysAt)}` : 'is kept'
}
