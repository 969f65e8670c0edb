/**
 * The last-healthy invariant: nothing that we do ourselves leaves a service with fewer ready instances than
 * it can live with. One function, asked by restart, configuration change and scale-in alike; a crash may break
 * the bound, a decision may not. (PM2's `reload` kills the old process when the new one is late: Unitech/pm2#3078.)
 */

/** How many instances must stay ready at the balancer; 0 only for a service that shall have none. */
export const minAvailable = (desired: number): number => (desired === 0 ? 0 : Math.max(1, Math.ceil(desired / 2)))

export interface Availability {
  /** Instances that are ready and that the balancer knows of. */
  readonly ready: number
  readonly desired: number
}

/** Whether one of the ready instances may be taken away. */
export const mayStopOne = ({ ready, desired }: Availability): boolean => ready - 1 >= minAvailable(desired)
