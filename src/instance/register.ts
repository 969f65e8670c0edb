/** `node --import holdfast/instance/register server.js`: joins without a line in the program. */
import { joinHoldfast } from './index.ts'

joinHoldfast()
