/** What needs what, as other rooms see it. */
export { FlowFinder, directEveryMs, type ToldFlow } from './flows.ts'
export { passesNow } from './second-look.ts'
