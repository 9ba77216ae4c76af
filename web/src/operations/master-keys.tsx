import type { KeyHealthQuery } from '../../../documents/generated.js'

type MasterKey = KeyHealthQuery['keyHealth']['masterKeys'][number]

/** How many private keys each master key holds: what would be lost with it. */
export function MasterKeys({ masterKeys }: { masterKeys: readonly MasterKey[] }) {
  const total = masterKeys.reduce((sum, { wrappedKeyCount }) => sum + wrappedKeyCount, 0)
  return (
    <section className="card" aria-labelledby="master-keys">
      <h2 id="master-keys">Master keys</h2>
      <ul className="bars">
        {masterKeys.map(({ uri, wrappedKeyCount, current, reachable, safeToRetire }) => (
          <li key={uri}>
            <span className="bar-name">
              <code>{uri}</code>
              {current && <span className="tag">current</span>}
              {!reachable && <span className="tag bad">out of reach</span>}
              {safeToRetire && <span className="tag">can be retired</span>}
            </span>
            <meter min={0} max={Math.max(1, total)} value={wrappedKeyCount} aria-label={`Keys under ${uri}`} />
            <span className="number">{wrappedKeyCount}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
