import type { HotStatement } from './hot-statements.js'

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Sort Key'?: string[]
  Plans?: PlanNode[]
}

/** These have a row for each process, each chain or each start with other defaults, however much is stored. */
const SMALL_TABLES = ['send_paces', 'key_event_heads', 'key_policy_defaults']

/**
 * What in the plan of a statement grows with what is stored: sequential scans, and sorts that were not accounted for.
 * A planner's estimate of what is sorted is no excuse, since it knows the average conversation and not the largest.
 *
 * The plan is the one for any values, which is what a prepared statement comes to.
 */
export async function planFaults(
  query: (text: string) => Promise<unknown[]>,
  { statement, sorts }: HotStatement
): Promise<string[]> {
  const [row] = await query(`explain (generic_plan, format json) ${statement.text}`)
  const [{ Plan: plan }] = (row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN']
  return nodesOf(plan).flatMap((node) => {
    const { 'Node Type': type, 'Relation Name': table = '', 'Sort Key': key = [] } = node
    if (type === 'Seq Scan' && !SMALL_TABLES.includes(table)) return [`${statement.name} reads all of ${table}`]
    if (type.endsWith('Sort') && sorts === undefined) return [`${statement.name} sorts by ${key.join(', ')}`]
    return []
  })
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}
