/** Redis, as the other rooms use it. The package `redis` is asked for when it is used. */
export { answerWithinMs, RedisLink, type RedisLinkOptions } from './link.ts'
