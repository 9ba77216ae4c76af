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
 * A prepared statement is run by the plan for any values, or by one for just these, whichever seems cheaper: both are
 * looked at where the statement has values to look with.
 */
export async function planFaults(
  query: (text: string, values?: unknown[]) => Promise<unknown[]>,
  { statement, sorts, values }: HotStatement
): Promise<string[]> {
  const general = await query(`explain (generic_plan, format json) ${statement.text}`)
  const particular = values ? await query(`explain (format json) ${statement.text}`, values) : []
  const faults = [...general, ...particular].flatMap((row) => faultsOf(planOf(row), statement.name, sorts))
  return [...new Set(faults)]
}

function planOf(row: unknown): PlanNode {
  return (row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan
}

function faultsOf(plan: PlanNode, name: string | undefined, sorts: string | undefined): string[] {
  return nodesOf(plan).flatMap((node) => {
    const { 'Node Type': type, 'Relation Name': table = '', 'Sort Key': key = [] } = node
    if (type === 'Seq Scan' && !SMALL_TABLES.includes(table)) return [`${name} reads all of ${table}`]
    if (type.endsWith('Sort') && sorts === undefined) return [`${name} sorts by ${key.join(', ')}`]
    return []
  })
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}
