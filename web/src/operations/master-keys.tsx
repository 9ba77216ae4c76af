import type { KeyHealthQuery } from '../../../documents/generated.js'

type MasterKey = KeyHealthQuery['keyHealth']['masterKeys'][number]

const SHADES = 4

/** How many private keys each master key holds: what would be lost with it. */
export function MasterKeys({ masterKeys }: { masterKeys: readonly MasterKey[] }) {
  const total = masterKeys.reduce((sum, { wrappedKeyCount }) => sum + wrappedKeyCount, 0)
  const shares = masterKeys.map((key, index) => ({ ...key, shade: `share-${index % SHADES}` }))
  return (
    <section className="card" aria-labelledby="master-keys">
      <h2 id="master-keys">Master keys</h2>
      <div className="shares" role="img" aria-label="Private keys by master key, in the order of the list below">
        {shares
          .filter(({ wrappedKeyCount }) => wrappedKeyCount > 0)
          .map(({ uri, wrappedKeyCount, shade }) => (
            <span
              key={uri}
              className={shade}
              style={{ width: `${(wrappedKeyCount / total) * 100}%` }}
              title={`${uri}: ${wrappedKeyCount}`}
            />
          ))}
      </div>
      <ul className="bars">
        {shares.map(({ uri, wrappedKeyCount, current, reachable, safeToRetire, shade }) => (
          <li key={uri}>
            <span>
              <span className={`swatch ${shade}`} />
              <code>{uri}</code> {current && <span className="tag">current</span>}{' '}
              {!reachable && <span className="tag bad">out of reach</span>}{' '}
              {safeToRetire && <span className="tag good">can be retired</span>}
            </span>
            <span className="number">
              {wrappedKeyCount} {wrappedKeyCount === 1 ? 'key' : 'keys'}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
