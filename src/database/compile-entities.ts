import type { MikroORM, ObjectHydrator } from '@mikro-orm/postgresql'

/**
 * Has the ORM make the code now that it would otherwise make from text at the first use of each entity: the first
 * request is not kept waiting for it, and a process that refuses code from text has it by then.
 */
export function compileEntities(orm: MikroORM): void {
  const em = orm.em.fork()
  const comparator = em.getComparator()
  const hydrator = em.getHydrator() as ObjectHydrator
  for (const meta of orm.getMetadata().getAll().values()) {
    comparator.getPkGetter(meta)
    comparator.getPkGetterConverted(meta)
    comparator.getPkSerializer(meta)
    comparator.getSnapshotGenerator(meta.class)
    comparator.getResultMapper(meta)
    comparator.getEntityComparator(meta.class)
    for (const type of ['full', 'reference'] as const) {
      for (const normalizeAccessors of [false, true]) hydrator.getEntityHydrator(meta, type, normalizeAccessors)
    }
  }
}
