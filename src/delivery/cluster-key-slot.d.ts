declare module 'cluster-key-slot' {
  /** The slot of a cluster, 0 to 16383, in which a key or a sharded channel lies. */
  export default function calculateSlot(key: string): number
}
