import { type ReadyOperation, readyOperations } from './ready-operations.js'

const files = import.meta.glob<string>('../../documents/*.graphql', { query: '?raw', import: 'default', eager: true })

/** Every operation of documents/. */
export const READY_OPERATIONS: readonly ReadyOperation[] = readyOperations(files)
