/**
 * The program's own log: JSON lines in `combined-YYYY-MM-DD.log`, a new file each day, kept 14 days. Every event has a line in it, so that
 * the files alone tell the story, also when the store is lost.
 */
import { pino, type Logger } from 'pino'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { LogConfig } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { systemClock } from '../kernel/system.ts'
import type { AnyEvent, EventLevel } from '../kernel/events.ts'
import { makeDirectory } from '../kernel/files.ts'

/** A day's file is cut before it grows beyond this. */
const fileSizeMax = '64M'
const filesKept = 14

export interface Log {
  readonly logger: Logger
  close(): Promise<void>
}

const twoDigits = (n: number): string => String(n).padStart(2, '0')

function fileName(time: number | Date | null, index?: number): string {
  const date = new Date(time ?? systemClock.wallTime())
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`
  return index === undefined || index <= 1 ? `combined-${day}.log` : `combined-${day}.${index}.log`
}

/** Throws `log_unwritable` when the directory cannot be used. A disk that fills later loses log lines, never the program. */
export function openLog({ level, directory }: LogConfig, onError: (error: Error) => void): Log {
  try {
    makeDirectory(directory, 0o750)
  } catch (cause) {
    throw new HoldfastError('log_unwritable', `opening the log in ${directory} failed`, {
      cause,
      hint: 'check its permissions, or choose another directory under log.directory',
    })
  }
  const stream: RotatingFileStream = createStream(fileName, {
    path: directory,
    interval: '1d',
    intervalBoundary: true,
    initialRotation: true,
    immutable: true,
    size: fileSizeMax,
    maxFiles: filesKept,
    mode: 0o640,
  })
  stream.on('error', onError)
  stream.on('warning', onError)
  return {
    logger: pino(
      { level, base: { pid: process.pid }, redact: ['req.headers.authorization', 'req.headers["x-api-key"]', 'req.headers.cookie'] },
      stream,
    ),
    close: () =>
      new Promise((resolve) => {
        stream.end(() => {
          resolve()
        })
      }),
  }
}

const logLevels: Readonly<Record<EventLevel, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>> = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
}

/** One line for one event: the sentence, and all that a program may ask of it. */
export function logEvent(logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>, event: AnyEvent): void {
  const { id, seq, type, service, instance, cause, data } = event
  logger[logLevels[event.level]]({ event: type, id, seq, service, instance, cause, data }, event.message)
}
