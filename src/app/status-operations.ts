/** What anybody can ask of the status page. */
import type { StatusDocument, StatusDocumentName } from '../status/types.ts'

export interface StatusPageOperations {
  /** Ready to be sent, at most a second old; undefined: it is switched off. */
  document(name: StatusDocumentName): StatusDocument | undefined
}
