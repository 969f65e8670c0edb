/** How a command line is run: plain words directly, so that the pid is the program's own; anything else by the shell. */

export interface Invocation {
  readonly file: string
  readonly args: readonly string[]
  /** Through /bin/sh. */
  readonly shell: boolean
}

/** Characters that mean themselves to every shell (as in Python's `shlex.quote`). */
const plainWord = /^[\w@%+=:,./-]+$/

/** First words that only a shell can run. */
const shellWords: ReadonlySet<string> = new Set(
  '. : alias break case cd command continue eval exec exit export for if readonly return set shift source trap ulimit umask unset until wait while'.split(
    ' ',
  ),
)

/** Never throws: what is wrong with a command shows when it is run. */
export function parseCommand(command: string): Invocation {
  const words = command.trim().split(/[ \t]+/)
  const [file = '', ...args] = words
  const plain = words.every((word) => plainWord.test(word)) && !file.includes('=') && !shellWords.has(file)
  return plain ? { file, args, shell: false } : { file: '/bin/sh', args: ['-c', command], shell: true }
}
