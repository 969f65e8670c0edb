/** The secret that signs tokens: the configured one, or one made once and kept in the data directory, readable by its owner only. */
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import { makePrivateDirectory } from '../kernel/files.ts'

export const secretBytesMin = 32
export const secretFileName = 'jwt.secret'

/** Resolves with at least 32 bytes; rejects with `secret_invalid` when what is there is too short or readable by others. */
export async function loadSecret(configured: string | undefined, dataDirectory: string): Promise<Uint8Array> {
  if (configured !== undefined) return checkedLength(Buffer.from(configured, 'utf8'), 'access.jwtSecret')
  const file = join(dataDirectory, secretFileName)
  try {
    return await readSecret(file)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  await createSecret(file, dataDirectory)
  return readSecret(file)
}

async function readSecret(file: string): Promise<Uint8Array> {
  const { mode } = await stat(file)
  if (mode & 0o077) {
    throw new HoldfastError('secret_invalid', `the token secret ${file} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
      hint: `run: chmod 600 ${file}; or delete it, which ends all tokens, and a new one is made`,
    })
  }
  return checkedLength(Buffer.from((await readFile(file, 'utf8')).trim(), 'base64url'), file)
}

/** Written whole under another name, then linked: of two processes that start at once, one wins and both read the same. */
async function createSecret(file: string, directory: string): Promise<void> {
  await makePrivateDirectory(directory)
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(`${randomBytes(48).toString('base64url')}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(draft, file)
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw new HoldfastError('secret_unwritable', `could not write the token secret ${file}`, { cause })
  } finally {
    await rm(draft, { force: true })
  }
}

function checkedLength(secret: Uint8Array, where: string): Uint8Array {
  if (secret.length >= secretBytesMin) return secret
  throw new HoldfastError('secret_invalid', `the token secret in ${where} has ${secret.length} bytes, at least ${secretBytesMin} are needed`, {
    hint: 'make one with: openssl rand -base64 48',
  })
}
