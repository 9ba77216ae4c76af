import { KeyHealthDocument, RewrapPrivateKeysDocument, RotateDueKeysDocument } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { useAction, useConnection, useLoaded } from '../use-connection.js'
import { AuditTrail } from './audit-trail.js'
import { DueRotations } from './due-rotations.js'
import { MasterKeys } from './master-keys.js'
import { OperationList } from './operation-list.js'

const LOOK_EVERY_MS = 5_000

export function OperationsPage() {
  const connection = useConnection()
  const health = useLoaded(
    async () => (await connection.query(KeyHealthDocument, {})).keyHealth,
    [connection],
    LOOK_EVERY_MS
  )
  const isAdmin = connection.session.scopes.includes('keys:admin')
  return (
    <main className="page">
      <header className="page-head">
        <h1>Operations</h1>
      </header>
      <Problem failure={health.failure} />
      {health.data && (
        <>
          <ul className="figures" aria-label="Key health">
            <Figure name="Active keys" value={health.data.activeKeys} />
            <Figure name="Overdue rotations" value={health.data.overdueRotations} isBad />
            <Figure name="Overdue destructions" value={health.data.overdueDestructions} isBad />
            <Figure name="Compromised keys" value={health.data.compromisedKeys} isBad />
            <Figure name="Pairs in the pool" value={health.data.pooledKeys} />
          </ul>
          <div className="halves">
            <MasterKeys masterKeys={health.data.masterKeys} />
            <DueRotations />
          </div>
        </>
      )}
      <OperationList onFinished={health.reload}>{isAdmin && <Begin />}</OperationList>
      <AuditTrail />
    </main>
  )
}

function Figure({ name, value, isBad = false }: { name: string; value: number; isBad?: boolean }) {
  return (
    <li className={isBad && value > 0 ? 'bad' : ''}>
      <strong>{value}</strong>
      <span>{name}</span>
    </li>
  )
}

function Begin() {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  return (
    <div className="key-actions">
      <button
        type="button"
        disabled={isRunning}
        onClick={() => void run(() => connection.run(RotateDueKeysDocument, {}))}
      >
        Rotate what is due
      </button>
      <button
        type="button"
        className="quiet"
        disabled={isRunning}
        onClick={() => void run(() => connection.run(RewrapPrivateKeysDocument, { dryRun: true }))}
      >
        Try a rewrap
      </button>
      <button
        type="button"
        className="quiet"
        disabled={isRunning}
        onClick={() => void run(() => connection.run(RewrapPrivateKeysDocument, { dryRun: false }))}
      >
        Rewrap to the current master key
      </button>
      <Problem failure={failure} />
    </div>
  )
}
