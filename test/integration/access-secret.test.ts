/** The secret that signs tokens, on a real file system. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSecret, secretFileName } from '../../src/access/secret-file.ts'

describe('the token secret', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-secret-'))
  })
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  it('is made once, in a file of its owner only, and found again', async () => {
    const data = join(directory, 'new', 'data')
    const first = await loadSecret(undefined, data)
    expect(first.length).toBe(48)
    expect((await stat(join(data, secretFileName))).mode & 0o777).toBe(0o600)
    expect(await loadSecret(undefined, data)).toEqual(first)
    expect(await readdir(data)).toEqual([secretFileName])
  })

  it('of many processes that start at once, all read the same', async () => {
    const secrets = await Promise.all(Array.from({ length: 20 }, () => loadSecret(undefined, directory)))
    expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(1)
    expect(await readdir(directory)).toEqual([secretFileName])
  })

  it('is not used when others can read it', async () => {
    await loadSecret(undefined, directory)
    await chmod(join(directory, secretFileName), 0o640)
    await expect(loadSecret(undefined, directory)).rejects.toMatchObject({
      code: 'secret_invalid',
      hint: expect.stringContaining('chmod 600') as string,
    })
  })

  it('is not used when it was cut short, and is not replaced behind the back of whoever holds tokens', async () => {
    const file = join(directory, secretFileName)
    await writeFile(file, 'c2hvcnQ\n', { mode: 0o600 })
    await expect(loadSecret(undefined, directory)).rejects.toMatchObject({ code: 'secret_invalid' })
    expect(await readFile(file, 'utf8')).toBe('c2hvcnQ\n')
  })

  it('a configured one wins, and needs 32 bytes', async () => {
    expect(Buffer.from(await loadSecret('x'.repeat(32), directory)).toString()).toBe('x'.repeat(32))
    await expect(loadSecret('x'.repeat(31), directory)).rejects.toMatchObject({ code: 'secret_invalid' })
    expect(await readdir(directory)).toEqual([])
  })
})
