/**
 * The answers of the API as types, out of its OpenAPI document: the one source for the dashboard and the command line, which would otherwise write them down by hand, each
 * its own way. `npx tsx scripts/api-types.ts` writes src/api/types.ts; a test fails when that is not what the document says.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answerTypes } from '../src/api/testing/answer-types.ts'

writeFileSync(fileURLToPath(new URL('../src/api/types.ts', import.meta.url)), await answerTypes())
