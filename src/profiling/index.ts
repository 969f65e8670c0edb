/** Profiles, as other rooms see them. */
export { Profiles, type ProfilesDeps } from './profiles.ts'
